// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// `moq status`, running.
struct StatusRun {
    /// What was answered.
    private struct Answer: Sendable {
        var profile: DraftProfile
        var result: Result<RequestOk, MoQError>
    }

    private let command: StatusCommand

    /// Takes the options.
    init(_ command: StatusCommand) {
        self.command = command
    }

    /// Asks, and prints the answer.
    /// - Throws: ``CommandFailure``, with the code of the refusal.
    func run() async throws {
        let outcome = Outcome<Answer>()
        let track = self.command.track.fullName
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { _ in
            let peer = AskingPeer { session in
                let profile = session.profile
                session.trackStatus(of: track) { result in
                    // What ends with the session is told by the session.
                    if case .failure(let error) = result, error.code == .sessionClosed { return }
                    outcome.succeed(Answer(profile: profile, result: result))
                }
            } ended: { closure in
                outcome.fail(CommandFailure("connection lost: \(closure)"))
            }
            return ClientEndpoint.Attachment(handler: peer) { _ in }
        }
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let result = await outcome.settled()
        await client.close()
        try self.print(try result.get())
    }

    private func print(_ answer: Answer) throws {
        switch answer.result {
        case .success(let ok):
            try self.say(self.command.json ? Self.json(ok, answer.profile) : Self.text(ok, answer.profile))
        case .failure(let error):
            let failure = RequestFailure(error, of: .trackStatus, in: answer.profile)
            if self.command.json {
                var object = JSONObject()
                object.add("draft", UInt64(answer.profile.version.number))
                failure.add(to: &object)
                try self.say(object.rendered)
            }
            throw CommandFailure("track '\(self.command.track.displayName)': \(failure.text)")
        }
    }

    private func say(_ text: String) throws {
        guard StandardStreams.say(text) else {
            throw CommandFailure("nobody reads the output any more")
        }
    }

    private static func text(_ ok: RequestOk, _ profile: DraftProfile) -> String {
        let largest = ok.largestObject.map { "\($0.group)/\($0.object)" } ?? "none"
        var lines = ["draft    \(profile.version.number)", "largest  \(largest)"]
        switch ok.expires {
        case nil, 0: lines.append("expires  not said")
        case .some(let expires):
            lines.append("expires  in \(Quantity.decimal(Double(expires) / 1_000, digits: 3)) s")
        }
        if !ok.properties.isEmpty {
            lines.append("\(PropertyFields.trackName(in: profile)) \(PropertyFields.value(of: ok.properties).rendered)")
        }
        return lines.joined(separator: "\n")
    }

    private static func json(_ ok: RequestOk, _ profile: DraftProfile) -> String {
        var object = JSONObject()
        object.add("draft", UInt64(profile.version.number))
        object.add("largest_location", ok.largestObject.map(JSONValue.location) ?? .null)
        object.add("expires", ok.expires)
        object.add(PropertyFields.trackName(in: profile), PropertyFields.value(of: ok.properties))
        return object.rendered
    }
}
