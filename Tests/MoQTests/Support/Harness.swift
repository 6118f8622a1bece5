// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport
import WebTransportInMemory

/// Two sessions over a simulated link, in virtual time.
final class Harness {
    let loop: PacketLoop
    let driver: ManualLoopDriver
    let link: InMemoryLink
    let client: MoQSession
    let server: MoQSession
    let clientHandler = RecordingHandler()
    let serverHandler = RecordingHandler()
    let variant: Variant

    init(
        _ variant: Variant,
        link configuration: InMemoryLinkConfiguration = InMemoryLinkConfiguration(),
        client clientConfiguration: MoQSessionConfiguration = MoQSessionConfiguration(),
        server serverConfiguration: MoQSessionConfiguration = MoQSessionConfiguration()
    ) {
        self.variant = variant
        self.loop = ManualLoopDriver.makeLoop()
        self.driver = ManualLoopDriver(loop: self.loop)
        self.link = InMemoryLink(loop: self.loop, configuration: configuration)
        self.client = MoQSession(
            transport: self.link.client,
            loop: self.loop,
            profile: variant.profile,
            configuration: clientConfiguration,
            handler: self.clientHandler
        )
        self.server = MoQSession(
            transport: self.link.server,
            loop: self.loop,
            profile: variant.profile,
            configuration: serverConfiguration,
            handler: self.serverHandler
        )
    }

    /// Ends what a test left open, and what the loop still has to do: both hold the sessions. A test with tasks may end on
    /// another thread than the one that drove the loop last, so this one takes over first.
    deinit {
        self.driver.runUntilIdle()
        self.client.close()
        self.server.close()
        self.run()
    }

    /// Both sides with this configuration, started and set up.
    static func established(
        _ variant: Variant,
        link: InMemoryLinkConfiguration = InMemoryLinkConfiguration(),
        configuration: MoQSessionConfiguration = MoQSessionConfiguration()
    ) -> Harness {
        let harness = Harness(variant, link: link, client: configuration, server: configuration)
        harness.start()
        harness.run()
        return harness
    }

    func start() {
        self.server.start()
        self.client.start()
    }

    /// Lets a tenth of a second pass.
    func run(_ duration: Duration = .milliseconds(100)) {
        self.driver.advance(by: duration)
    }

    var subscriber: MoQSession {
        self.variant.subscriber == .client ? self.client : self.server
    }

    var publisher: MoQSession {
        self.variant.subscriber == .client ? self.server : self.client
    }

    var subscriberHandler: RecordingHandler {
        self.variant.subscriber == .client ? self.clientHandler : self.serverHandler
    }

    var publisherHandler: RecordingHandler {
        self.variant.subscriber == .client ? self.serverHandler : self.clientHandler
    }

    static let track = FullTrackName(namespace: TrackNamespace(path: "live/camera"), name: "video")

    /// Subscribes, lets the other side accept, and waits until both know.
    func subscribe(
        parameters: SubscriptionParameters = SubscriptionParameters(),
        largest: Location? = nil,
        properties: PropertyList = PropertyList(),
        consumer: CollectingConsumer
    ) throws -> (Subscription, TrackPublisher) {
        let accepted = Box<TrackPublisher>()
        self.publisherHandler.onSubscribe = { request in
            accepted.value = request.accept(largest: largest, properties: properties)
        }
        let subscription = self.subscriber.subscribe(
            SubscribeRequest(track: Self.track, parameters: parameters),
            consumer: consumer
        ) { consumer.responses.append($0) }
        self.run()
        guard let publisher = accepted.value else {
            throw Missing(what: "the SUBSCRIBE did not arrive")
        }
        return (subscription, publisher)
    }
}

/// Holds what a closure found.
final class Box<Value> {
    var value: Value?

    init(_ value: Value? = nil) {
        self.value = value
    }
}

/// What a test needs is not there.
struct Missing: Error {
    let what: String
}
