// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Which publisher is asked for a track")
struct PublisherChoiceTests {
    /// A client that announces a namespace and has only one track in it.
    private func publisher(
        of name: String,
        in path: String,
        _ world: RelayWorld,
        _ profile: DraftProfile,
        refusal: RequestErrorCode = .doesNotExist
    ) -> TestClient {
        let client = world.connect(profile)
        client.onSubscribe = { [unowned client] request in
            guard request.track.name == Array(name.utf8) else {
                request.reject(refusal, reason: "not here")
                return
            }
            let track = TestTrack()
            track.use(request.accept())
            client.adopt(track)
        }
        _ = client.announce(path)
        world.settle()
        return client
    }

    @Test("Two publishers share a namespace, each with a track of its own", arguments: DraftPair.all)
    func sharedNamespace(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let older = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let newer = self.publisher(of: "audio", in: "live", world, drafts.publisher)
        let subscriber = world.connect(drafts.subscriber)
        let video = subscriber.subscribe("live", "video")
        let audio = subscriber.subscribe("live", "audio")
        let neither = subscriber.subscribe("live", "text")
        world.settle()
        #expect(video.answer != nil)
        #expect(audio.answer != nil)
        #expect(neither.refusal == .doesNotExist)
        #expect(newer.subscribes.count == 3)
        #expect(older.subscribes.count == 2)
        try #require(older.tracks.first).send(group: 0, count: 2)
        world.settle()
        #expect(video.consumer.completeLocations.count == 2)
        world.closeAll()
    }

    @Test("The publisher of a shorter namespace is asked after that of a longer one", arguments: DraftPair.all)
    func shorterNamespace(_ drafts: DraftPair) {
        let world = RelayWorld()
        let general = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let special = self.publisher(of: "audio", in: "live/camera", world, drafts.publisher)
        let video = world.connect(drafts.subscriber).subscribe("live/camera", "video")
        world.settle()
        #expect(video.answer != nil)
        #expect(special.subscribes.count == 1)
        #expect(general.subscribes.count == 1)
        world.closeAll()
    }

    @Test("Of several refusals the most telling one is passed on", arguments: DraftPair.all)
    func refusals(_ drafts: DraftPair) {
        let world = RelayWorld()
        _ = self.publisher(of: "video", in: "live", world, drafts.publisher)
        _ = self.publisher(of: "video", in: "live", world, drafts.publisher, refusal: .unauthorized)
        _ = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let text = world.connect(drafts.subscriber).subscribe("live", "text")
        world.settle()
        #expect(text.refusal == .unauthorized)
        #expect(world.live.tracks == 0)
        #expect(world.live.pendingSubscribers == 0)
        world.closeAll()
    }

    @Test("A publisher that does not answer, or vanishes, is followed by the next", arguments: [false, true])
    func silence(vanishes: Bool) {
        let world = RelayWorld()
        _ = self.publisher(of: "video", in: "live", world, .draft18)
        let silent = world.connect(.draft16)
        var kept: [IncomingSubscribe] = []
        silent.onSubscribe = { kept.append($0) }
        _ = silent.announce("live")
        world.settle()
        let video = world.connect(.draft18).subscribe("live", "video")
        world.settle()
        #expect(kept.count == 1)
        #expect(video.results.isEmpty)
        if vanishes {
            silent.link.sever(.idleTimeout)
            world.settle()
        } else {
            world.advance(.seconds(11))
        }
        #expect(video.answer != nil)
        kept = []
        world.closeAll()
    }

    @Test("When the publisher in use vanishes, another one of the namespace takes over", arguments: DraftPair.all)
    func takeover(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let older = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let newer = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let video = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        #expect(older.subscribes.isEmpty)
        try #require(newer.tracks.first).send(group: 0, count: 2)
        world.settle()
        world.disconnect(newer)
        world.settle()
        #expect(older.subscribes.count == 1)
        try #require(older.tracks.first).send(group: 1, count: 3)
        world.settle()
        #expect(video.consumer.completeLocations.count == 5)
        #expect(video.consumer.ends.isEmpty)
        #expect(world.live.upstreams == 1)
        // Who comes now joins as before.
        let late = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        #expect(late.answer?.largestObject == Location(group: 1, object: 2))
        #expect(older.subscribes.count == 1)
        world.disconnect(older)
        #expect(video.consumer.ends.map(\.status) == [.internalError])
        #expect(late.consumer.ends.map(\.status) == [.internalError])
        #expect(world.live.tracks == 0)
        world.closeAll()
    }

    @Test("When none of the others has the track, its subscribers are told", arguments: DraftPair.all)
    func noTakeover(_ drafts: DraftPair) {
        let world = RelayWorld()
        let other = self.publisher(of: "audio", in: "live", world, drafts.publisher)
        let newer = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let video = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        #expect(video.answer != nil)
        world.disconnect(newer)
        world.settle()
        #expect(other.subscribes.count == 1)
        #expect(video.consumer.ends.map(\.status) == [.internalError])
        #expect(world.live.tracks == 0)
        #expect(world.live.subscribers == 0)
        world.closeAll()
    }

    @Test("Nobody takes over a track that its publisher says has ended", arguments: DraftPair.all)
    func ended(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let older = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let newer = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let video = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        try #require(newer.tracks.first).end()
        world.settle()
        #expect(older.subscribes.isEmpty)
        #expect(video.consumer.ends.map(\.status) == [.trackEnded])
        world.closeAll()
    }

    @Test("Not everybody who announced the namespace is asked")
    func bound() {
        var configuration = MoQRelayConfiguration()
        configuration.maximumPublishersPerTrack = 2
        let world = RelayWorld(configuration)
        let publishers = (0..<3).map { _ in self.publisher(of: "video", in: "live", world, .draft18) }
        let text = world.connect(.draft18).subscribe("live", "text")
        world.settle()
        #expect(text.refusal == .doesNotExist)
        #expect(publishers.map(\.subscribes.count) == [0, 1, 1])
        world.closeAll()
    }
}
