// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import WebTransport

/// A sender and a receiver of payloads on one stream, without MoQ, each on a loop with a thread of its own: what the
/// transport does with the bytes of a load.
final class BareStage: LoadScene {
    /// What the sides report.
    let events: LoadEvents

    private let server: BenchEndpoint
    private let client: BenchEndpoint
    private let sender: LoopBound<BareSender>
    private let receiver: LoopBound<BareReceiver>

    private init(
        events: LoadEvents,
        server: BenchEndpoint,
        client: BenchEndpoint,
        sender: LoopBound<BareSender>,
        receiver: LoopBound<BareReceiver>
    ) {
        self.events = events
        self.server = server
        self.client = client
        self.sender = sender
        self.receiver = receiver
    }

    /// Brings both sides up. The sender listens, like a publisher that serves its subscribers itself.
    /// - Throws: ``CommandFailure``, and then nothing is left.
    static func start(_ plan: LoadPlan, _ options: LoadOptions) async throws -> BareStage {
        let certificate: SelfSignedCertificate
        do throws(QUICError) {
            certificate = try SelfSignedCertificate()
        } catch {
            throw CommandFailure(error.message)
        }
        let events = LoadEvents()
        let connection = options.connection
        let (sending, receiving) = (LoopCell<BareSender>(), LoopCell<BareReceiver>())
        let server = BenchEndpoint { configuration in
            configuration.credentials = .selfSigned(certificate)
            connection.apply(to: &configuration)
        } accept: { session, loop in
            sending.set(BareSender(session, loop: loop, plan: plan, events: events), on: loop)
            events.subscribed.succeed(())
        }
        let client = BenchEndpoint { configuration in
            configuration.verification = .pinned([certificate.fingerprint])
            connection.apply(to: &configuration)
            options.applyToSubscribers(&configuration)
        }
        do {
            let port = try await server.start(on: .loopback(port: 0))
            _ = try await client.start()
            try await client.connect(to: "127.0.0.1", port: port) { session, loop in
                receiving.set(BareReceiver(session, plan: plan, events: events), on: loop)
            }
            try await events.wait(for: events.subscribed, "the receiver did not get through to the sender")
            guard let sender = sending.bound, let receiver = receiving.bound else {
                throw CommandFailure("there is no session")
            }
            return BareStage(events: events, server: server, client: client, sender: sender, receiver: receiver)
        } catch {
            await client.stop()
            await server.stop()
            throw error
        }
    }

    func start(_ schedule: LoadSchedule) async throws {
        try await self.onReceiver { $0.start(schedule) }
        try await self.onSender { $0.start(schedule) }
    }

    func stopSending() async throws {
        try await self.onSender { $0.stop() }
    }

    func sample() async throws -> LoadStage.Sample {
        let crowd = try await self.onReceiver { $0.figures }
        let publisher = try await self.onSender { $0.figures }
        return LoadStage.Sample(publisher: publisher, crowd: crowd, own: .own, relay: nil)
    }

    func histograms() async throws -> (latency: LatencyHistogram, lag: LatencyHistogram) {
        (try await self.onReceiver { $0.latency }, LatencyHistogram())
    }

    func draft() async throws -> DraftVersion? {
        nil
    }

    func close() async {
        try? await self.onReceiver { $0.close() }
        try? await self.onSender { $0.close() }
        await self.client.stop()
        await self.server.stop()
    }

    private func onSender<R: Sendable>(_ body: @escaping @Sendable (BareSender) -> R) async throws -> R {
        let sender = self.sender
        return try await sender.loop.run { body(sender.value) }
    }

    private func onReceiver<R: Sendable>(_ body: @escaping @Sendable (BareReceiver) -> R) async throws -> R {
        let receiver = self.receiver
        return try await receiver.loop.run { body(receiver.value) }
    }
}
