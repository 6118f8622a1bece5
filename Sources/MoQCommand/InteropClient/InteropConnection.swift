// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import WebTransport

/// One connection of a test case, whose steps are awaited. Every step ends by its deadline.
final class InteropConnection: Sendable {
    /// What a step fails with.
    typealias Problem = InteropVerdict.Problem

    /// How long a session has to stay up after the last step.
    private static let linger = Duration.milliseconds(100)

    private let client: MoQPicoQuicClient
    private let peer: LoopBound<InteropPeer>

    private init(client: MoQPicoQuicClient, peer: LoopBound<InteropPeer>) {
        self.client = client
        self.peer = peer
    }

    /// The draft that the relay chose.
    var draft: DraftVersion {
        self.client.draft
    }

    /// The id that the client chose for the server, in hexadecimal: what logs of both sides name the connection by.
    var connectionID: String {
        self.client.connectionID
    }

    /// Connects. SETUP may still be under way.
    static func connect(
        to url: EndpointURL,
        settings: ClientSettings,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> InteropConnection {
        let cell = LoopCell<InteropPeer>()
        do throws(QUICError) {
            let client = try await MoQPicoQuicClient.connect(
                to: url.url,
                configuration: settings.endpoint,
                sessionConfiguration: settings.session,
                timeout: max(.zero, ContinuousClock.now.duration(to: deadline))
            ) { loop in
                let peer = InteropPeer()
                cell.set(peer, on: loop)
                return peer
            }
            guard let peer = cell.bound else {
                throw QUICError(.noCommonProtocol, "\(url.authority) chose a protocol that was not offered")
            }
            return InteropConnection(client: client, peer: peer)
        } catch {
            throw Problem(
                expected: "connection",
                received: "\(error.code)",
                message: error.message,
                isFatal: true
            )
        }
    }

    /// Waits for the peer's SETUP.
    func setUp(by deadline: ContinuousClock.Instant) async throws(Problem) {
        let closure = try await self.step("SETUP", deadline) { _, peer, answer in
            peer.whenSetUp(answer)
        }
        if let closure {
            throw Problem(expected: "SETUP", received: "end of session", message: "session closed: \(closure)")
        }
    }

    /// Announces a namespace, and waits for the answer, which must not be an error.
    func publishNamespace(_ path: String, by deadline: ContinuousClock.Instant) async throws(Problem) {
        let expected = self.name(of: "PUBLISH_NAMESPACE_OK")
        let result = try await self.step(expected, deadline) { session, peer, answer in
            peer.publication = session.publishNamespace(TrackNamespace(path: path)) { answer($0) }
        }
        if case .failure(let error) = result {
            throw Problem(expected: expected, received: Self.name(of: error), message: "\(error)")
        }
    }

    /// Takes the namespace back.
    func withdrawNamespace(by deadline: ContinuousClock.Instant) async throws(Problem) {
        try await self.step("the end of the request", deadline) { _, peer, answer in
            peer.publication?.withdraw()
            peer.publication = nil
            answer(())
        }
    }

    /// Subscribes to a track, and waits for the answer: nil for SUBSCRIBE_OK, else the error that the peer sent.
    func subscribe(_ track: FullTrackName, by deadline: ContinuousClock.Instant) async throws(Problem) -> MoQError? {
        let expected = "SUBSCRIBE_OK or \(self.name(of: "SUBSCRIBE_ERROR"))"
        let result = try await self.step(expected, deadline) { session, _, answer in
            session.subscribe(SubscribeRequest(track: track), consumer: IgnoringConsumer()) { result in
                answer(result.map { _ in true })
            }
        }
        switch result {
        case .success:
            return nil
        case .failure(let error) where error.code == .rejected:
            return error
        case .failure(let error):
            throw Problem(expected: expected, received: Self.name(of: error), message: "\(error)")
        }
    }

    /// Checks that the session is still up, once everything that was sent has arrived, and closes it.
    func close(by deadline: ContinuousClock.Instant) async throws(Problem) {
        let result: Result<MoQSessionClosure?, Problem>
        do throws(Problem) {
            result = .success(
                try await self.step("an open session", deadline) { session, peer, answer in
                    SessionFlush.wait(for: [session], on: session.loop) {
                        session.loop.schedule(after: Self.linger) { answer(peer.closure) }
                    }
                }
            )
        } catch {
            result = .failure(error)
        }
        await self.client.close()
        if let closure = try result.get() {
            throw Problem(
                expected: "an open session",
                received: "end of session",
                message: "session closed: \(closure)"
            )
        }
    }

    /// Ends the connection, in whatever state it is.
    func abandon() async {
        await self.client.close()
    }

    /// What the draft in use calls an answer that older drafts have names of their own for.
    func name(of message: String) -> String {
        guard self.draft.number > 14 else { return message }
        return message.hasSuffix("_OK") ? "REQUEST_OK" : "REQUEST_ERROR"
    }

    private static func name(of error: MoQError) -> String {
        error.requestError.map { "error \($0)" } ?? error.code.description
    }

    /// Does something on the loop that has an answer, and waits for it.
    private func step<Answer: Sendable>(
        _ expected: String,
        _ deadline: ContinuousClock.Instant,
        _ body: @escaping @Sendable (MoQSession, InteropPeer, @escaping (Answer) -> Void) -> Void
    ) async throws(Problem) -> Answer {
        let outcome = Outcome<Answer>()
        let (session, peer) = (self.client.session, self.peer)
        let remaining = max(.zero, ContinuousClock.now.duration(to: deadline))
        let isAccepted = self.client.loop.post {
            let loop = session.value.loop
            let timer = loop.schedule(after: remaining) {
                outcome.fail(CommandFailure("no answer within the time of the test"))
            }
            body(session.value, peer.value) { answer in
                timer.cancel()
                outcome.succeed(answer)
            }
        }
        guard isAccepted else {
            throw Problem(expected: expected, received: "end of session", message: "the connection is gone")
        }
        do {
            return try await outcome.value()
        } catch {
            throw Problem(expected: expected, received: "timeout", message: "\(error)")
        }
    }
}

/// Takes objects that nobody wants.
private final class IgnoringConsumer: TrackConsumer {
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? { nil }
    func receive(_ datagram: ObjectDatagram, payload: Bytes) {}
    func trackEnded(_ end: TrackEnd) {}
}
