// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// `moq namespaces`, running.
struct NamespacesRun {
    private let command: NamespacesCommand

    /// Takes the options.
    init(_ command: NamespacesCommand) {
        self.command = command
    }

    /// Prints what appears and goes until a signal comes, the time is over, or the relay ends it.
    /// - Throws: ``CommandFailure``.
    func run() async throws {
        let outcome = Outcome<Void>()
        let writer = try OutputWriter(path: "-", didDrain: {}, didFail: { outcome.fail($0) })
        do {
            try await self.watch(writer: writer, outcome: outcome)
        } catch {
            // What was printed is true, however it ended.
            try? await writer.finish()
            throw error
        }
        try await writer.finish()
    }

    private func watch(writer: OutputWriter, outcome: Outcome<Void>) async throws {
        let prefix = TrackNamespace(path: self.command.prefix)
        let isJSON = self.command.json
        let duration = self.command.duration?.duration
        let cell = LoopCell<MoQSession>()
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { loop in
            let peer = AskingPeer { session in
                session.subscribeNamespace(prefix) { event in
                    Self.take(event, isJSON: isJSON, writer: writer, outcome: outcome)
                } response: { result in
                    Self.answered(result, prefix: prefix, profile: session.profile, outcome: outcome)
                }
                if let duration {
                    loop.schedule(after: duration) { outcome.succeed(()) }
                }
            } ended: { closure in
                outcome.fail(CommandFailure("connection lost: \(closure)"))
            }
            return ClientEndpoint.Attachment(handler: peer) { session in
                cell.set(session, on: loop)
            }
        }
        // Until here a signal ends the process at once.
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let result = await outcome.settled()
        await cell.finish { session, done in
            session.close(.noError, reason: "")
            done()
        }
        await client.close()
        try result.get()
    }

    private static func answered(
        _ result: Result<Void, MoQError>,
        prefix: TrackNamespace,
        profile: DraftProfile,
        outcome: Outcome<Void>
    ) {
        // What ends with the session is told by the session.
        guard case .failure(let error) = result, error.code != .sessionClosed else { return }
        let failure = RequestFailure(error, of: .subscribeNamespace, in: profile)
        outcome.fail(CommandFailure("the namespaces under '\(prefix.pathText)': \(failure.text)"))
    }

    private static func take(_ event: NamespaceEvent, isJSON: Bool, writer: OutputWriter, outcome: Outcome<Void>) {
        let (mark, word, namespace): (String, String, TrackNamespace)
        switch event {
        case .published(let published): (mark, word, namespace) = ("+", "published", published)
        case .withdrawn(let withdrawn): (mark, word, namespace) = ("-", "withdrawn", withdrawn)
        case .blocked:
            // Only who asks for tracks is told of those that cannot be had.
            return
        case .ended(let error):
            guard error?.code != .sessionClosed else { return }
            outcome.fail(CommandFailure("the relay says no more about namespaces: \(error?.message ?? "it ended")"))
            return
        }
        var line = "\(mark) \(namespace.pathText)"
        if isJSON {
            var object = JSONObject()
            object.add("event", .text(word))
            object.add("track_namespace", .namespace(namespace))
            line = object.rendered
        }
        // Nothing holds a relay back that names namespaces, so that who does not read them is given up.
        if writer.submit([Bytes(utf8: line + "\n")]) > OutputWriter.highWatermark {
            outcome.fail(CommandFailure("the output is not read as fast as namespaces appear"))
        }
    }
}
