// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport
import WebTransportInMemory

/// One session, and a peer that breaks rules.
final class RawHarness {
    let loop: PacketLoop
    let driver: ManualLoopDriver
    let link: InMemoryLink
    let session: MoQSession
    let handler = RecordingHandler()
    let peer: RawPeer
    let profile: DraftProfile

    /// `role` is the side of the peer. The session is told to `other` instead of ``handler`` if there is one.
    init(
        _ profile: DraftProfile,
        peer role: Role,
        configuration: MoQSessionConfiguration = MoQSessionConfiguration(),
        link linkConfiguration: InMemoryLinkConfiguration = InMemoryLinkConfiguration(),
        handler other: (any MoQSessionHandler)? = nil
    ) {
        self.profile = profile
        self.loop = ManualLoopDriver.makeLoop()
        self.driver = ManualLoopDriver(loop: self.loop)
        self.link = InMemoryLink(loop: self.loop, configuration: linkConfiguration)
        let own: InMemoryWebTransport = role == .client ? self.link.server : self.link.client
        let far: InMemoryWebTransport = role == .client ? self.link.client : self.link.server
        self.session = MoQSession(
            transport: own,
            loop: self.loop,
            profile: profile,
            configuration: configuration,
            handler: other ?? self.handler
        )
        self.peer = RawPeer(far, profile: profile)
    }

    /// With both SETUPs exchanged.
    static func established(
        _ profile: DraftProfile,
        peer role: Role,
        configuration: MoQSessionConfiguration = MoQSessionConfiguration(),
        handler: (any MoQSessionHandler)? = nil
    ) throws -> RawHarness {
        let harness = RawHarness(profile, peer: role, configuration: configuration, handler: handler)
        harness.session.start()
        try harness.peer.setUp()
        harness.run()
        guard harness.session.state == .established else {
            throw Missing(what: "the setup did not complete: \(String(describing: harness.session.closure))")
        }
        return harness
    }

    func run(_ duration: Duration = .milliseconds(100)) {
        self.driver.advance(by: duration)
    }

    /// The first id that the peer may use, and those after it.
    func peerID(_ index: UInt64 = 0) -> RequestID {
        RequestID((self.peer.role == .client ? 0 : 1) + 2 * index)
    }

    /// Has the peer offer a track under this alias, and the session accept it.
    /// - Returns: the stream of the request, where the draft has those.
    @discardableResult
    func offer(
        alias: UInt64,
        track: FullTrackName = Harness.track,
        index: UInt64 = 0,
        consumer: CollectingConsumer = CollectingConsumer()
    ) throws -> BidirectionalStream? {
        self.handler.onPublish = { $0.accept(consumer: consumer) }
        let message = Publish(requestID: self.peerID(index), track: track, trackAlias: TrackAlias(alias))
        let stream = try self.peer.request(.publish(message))
        self.run()
        return stream
    }
}
