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
        #expect(older.subscribes.count == 3)
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

    @Test("A publisher that does not answer, or vanishes, keeps nobody from the others", arguments: [false, true])
    func silence(vanishes: Bool) throws {
        let world = RelayWorld()
        let other = self.publisher(of: "video", in: "live", world, .draft18)
        let silent = world.connect(.draft16)
        var kept: [IncomingSubscribe] = []
        silent.onSubscribe = { kept.append($0) }
        _ = silent.announce("live")
        world.settle()
        let client = world.connect(.draft18)
        let video = client.subscribe("live", "video")
        let text = client.subscribe("live", "text")
        world.settle()
        #expect(kept.count == 2)
        #expect(video.answer != nil)
        #expect(text.results.isEmpty, "who is silent may have it")
        #expect(world.live.upstreams == 3)
        if vanishes {
            silent.link.sever(.idleTimeout)
            world.settle()
        } else {
            world.advance(.seconds(11))
            #expect(world.relay.counters.upstreamTimeouts == 2)
        }
        #expect(text.refusal == (vanishes ? .internalError : .timeout))
        #expect(world.live.upstreams == 1)
        try #require(other.tracks.first).send(group: 0, count: 1)
        world.settle()
        #expect(video.consumer.completeLocations.count == 1)
        kept = []
        world.closeAll()
    }

    @Test("When a publisher vanishes, another one of the namespace goes on", arguments: DraftPair.all)
    func takeover(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let older = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let newer = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let video = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        #expect(older.subscribes.count == 1)
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
        #expect(other.subscribes.count == 2, "it may have it by now")
        #expect(video.consumer.ends.map(\.status) == [.internalError])
        #expect(world.live.tracks == 0)
        #expect(world.live.subscribers == 0)
        world.closeAll()
    }

    @Test("A track has ended when all its publishers say so, and nobody else is asked then", arguments: DraftPair.all)
    func ended(_ drafts: DraftPair) throws {
        var configuration = MoQRelayConfiguration()
        configuration.maximumPublishersPerTrack = 3
        let world = RelayWorld(configuration)
        let publishers = (0..<2).map { _ in self.publisher(of: "video", in: "live", world, drafts.publisher) }
        let video = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        try #require(publishers[1].tracks.first).end()
        world.settle()
        #expect(video.consumer.ends.isEmpty)
        try #require(publishers[0].tracks.first).send(group: 0, count: 2)
        publishers[0].link.sever(.idleTimeout)
        world.settle()
        #expect(video.consumer.ends.map(\.status) == [.trackEnded], "the one that vanished is no reason to doubt it")
        #expect(publishers.map(\.subscribes.count) == [1, 1])
        world.closeAll()
    }

    @Test(
        "FETCH and TRACK_STATUS go on to the next publisher when one does not have the track",
        arguments: DraftPair.all
    )
    func nextSource(_ drafts: DraftPair) {
        let world = RelayWorld()
        let largest = Location(group: 3, object: 0)
        let older = world.connect(drafts.publisher)
        older.onFetch = { request in
            let publisher = request.accept(largest: largest)
            publisher.beginObject(
                FetchObjectHeader(location: largest, subgroupID: 0, publisherPriority: 3, payloadLength: 1)
            )
            publisher.receive(payload: Bytes([7]))
            publisher.finish()
        }
        older.onTrackStatus = { $0.accept(largest: largest) }
        _ = older.announce("live")
        world.settle()
        let newer = world.connect(drafts.publisher)
        newer.onFetch = { $0.reject(.doesNotExist) }
        var questions = 0
        newer.onTrackStatus = { request in
            questions += 1
            request.reject(.doesNotExist)
        }
        _ = newer.announce("live")
        let client = world.connect(drafts.subscriber)
        world.settle()
        let fetched = client.fetch("live", from: largest, through: .object(largest))
        let name = FullTrackName(namespace: TrackNamespace(path: "live"), name: "track")
        var answers: [Location?] = []
        client.session.trackStatus(of: name) { answers.append(try? $0.get().largestObject) }
        world.settle()
        #expect(newer.fetches.count == 1)
        #expect(older.fetches.count == 1)
        #expect(fetched.locations == [largest])
        #expect(fetched.outcomes == [.complete])
        #expect(questions == 1)
        #expect(answers == [largest])
        // When nobody has it, that is the answer.
        older.onFetch = { $0.reject(.doesNotExist) }
        older.onTrackStatus = { $0.reject(.doesNotExist) }
        let neither = client.fetch("live", "other", through: .group(0))
        var refusals: [RequestErrorCode?] = []
        client.session.trackStatus(of: FullTrackName(namespace: name.namespace, name: "other")) { result in
            if case .failure(let error) = result {
                refusals.append(error.requestError)
            }
        }
        world.settle()
        #expect((try? neither.results.first?.get()) == nil)
        #expect(neither.results.count == 1)
        #expect(refusals == [.doesNotExist])
        #expect(world.live.upstreamFetches == 0)
        world.closeAll()
    }

    @Test("Publishers that do not answer leave room for one that appears", arguments: DraftPair.all)
    func silentPublishers(_ drafts: DraftPair) throws {
        let world = RelayWorld(MoQRelayConfiguration(maximumPublishersPerTrack: 2))
        var unanswered: [IncomingSubscribe] = []
        let silent = (0..<2).map { _ in
            let client = world.connect(drafts.publisher)
            client.onSubscribe = { unanswered.append($0) }
            _ = client.announce("live")
            return client
        }
        world.settle()
        let video = world.connect(drafts.subscriber).subscribe("live", "video")
        world.settle()
        #expect(silent.map(\.subscribes.count) == [1, 1])
        #expect(video.results.isEmpty)
        let fresh = self.publisher(of: "video", in: "live", world, drafts.publisher)
        #expect(video.answer != nil)
        #expect(world.live.upstreams == 2)
        try #require(fresh.tracks.first).send(group: 0, count: 2)
        world.settle()
        #expect(video.consumer.completeLocations.count == 2)
        // With two that have the track there is no room for a third.
        let second = self.publisher(of: "video", in: "live", world, drafts.publisher)
        let third = self.publisher(of: "video", in: "live", world, drafts.publisher)
        #expect(second.subscribes.count == 1)
        #expect(third.subscribes.isEmpty)
        #expect(world.live.upstreams == 2)
        world.closeAll()
        unanswered = []
    }

    @Test("Not everybody who announced the namespace is asked")
    func bound() {
        var configuration = MoQRelayConfiguration()
        configuration.maximumPublishersPerTrack = 2
        let world = RelayWorld(configuration)
        let publishers = (0..<3).map { _ in self.publisher(of: "video", in: "live", world, .draft18) }
        let client = world.connect(.draft18)
        let text = client.subscribe("live", "text")
        world.settle()
        #expect(text.refusal == .doesNotExist)
        #expect(publishers.map(\.subscribes.count) == [0, 1, 1])
        let video = client.subscribe("live", "video")
        world.settle()
        #expect(video.answer != nil)
        #expect(world.live.upstreams == 2)
        #expect(publishers.map(\.subscribes.count) == [0, 2, 2])
        world.closeAll()
    }
}
