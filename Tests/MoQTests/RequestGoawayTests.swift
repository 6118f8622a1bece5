// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// Draft 18 has GOAWAY for single requests (draft-18 §10.4).
@Suite("GOAWAY for a single request", .timeLimit(.minutes(1)))
struct RequestGoawayTests {
    private static let uri = "moqt://elsewhere.example/x"

    /// What a peer can ask for and keep.
    enum Kind: CaseIterable, Sendable {
        case subscribe, fetch, publish, publishNamespace, subscribeNamespace, subscribeTracks
    }

    /// A session, and a peer that made one request, which was accepted.
    private final class Scene {
        let harness: RawHarness
        let id: RequestID
        let stream: BidirectionalStream
        let delegate = RecordingDelegate()
        let fetchDelegate = RecordingFetchDelegate()
        let consumer = CollectingConsumer()
        private(set) var announcementEnds = 0

        init(_ kind: Kind, peer role: Role = .client) throws {
            let harness = try RawHarness.established(.draft18, peer: role)
            self.harness = harness
            self.id = harness.peerID()
            guard let stream = try harness.peer.request(Self.message(kind, self.id)) else {
                throw Missing(what: "the stream of the request")
            }
            self.stream = stream
            self.accept()
            harness.run()
        }

        private static func message(_ kind: Kind, _ id: RequestID) -> MoQMessage {
            let space = Harness.track.namespace
            let range = FetchTarget.standalone(
                track: Harness.track,
                start: Location(group: 0, object: 0),
                end: .group(3)
            )
            return switch kind {
            case .subscribe: .subscribe(Subscribe(requestID: id, track: Harness.track))
            case .fetch: .fetch(Fetch(requestID: id, target: range))
            case .publish: .publish(Publish(requestID: id, track: Harness.track, trackAlias: TrackAlias(5)))
            case .publishNamespace: .publishNamespace(PublishNamespace(requestID: id, namespace: space))
            case .subscribeNamespace: .subscribeNamespace(SubscribeNamespace(requestID: id, prefix: space))
            case .subscribeTracks: .subscribeTracks(SubscribeTracks(requestID: id, prefix: space))
            }
        }

        private func accept() {
            let handler = self.harness.handler
            handler.onSubscribe = { [delegate] in $0.accept().delegate = delegate }
            handler.onFetch = { [fetchDelegate] in
                $0.accept(largest: Location(group: 9, object: 0)).delegate = fetchDelegate
            }
            handler.onPublish = { [consumer] in _ = $0.accept(consumer: consumer) }
            handler.onAnnouncement = { [unowned handler, weak self] request in
                request.onWithdrawn = { self?.announcementEnds += 1 }
                request.accept()
                handler.announcements.append(request)
            }
            handler.onFeed = { [unowned handler, weak self] request in
                request.onCancelled = { self?.announcementEnds += 1 }
                request.accept()
                handler.feeds.append(request)
            }
            self.harness.run()
            handler.onSubscribe = nil
            handler.onFetch = nil
            handler.onPublish = nil
            handler.onAnnouncement = nil
            handler.onFeed = nil
        }

        /// How often whoever has the request here was told of its end.
        var ends: Int {
            self.delegate.ends.count + self.fetchDelegate.ends.count + self.consumer.ends.count + self.announcementEnds
        }

        var goaways: [Goaway] {
            self.harness.peer.messages.compactMap { message in
                guard case .goaway(let goaway) = message else { return nil }
                return goaway
            }
        }

        var session: MoQSession {
            self.harness.session
        }
    }

    private func code(_ body: () throws(MoQError) -> Void) -> MoQError.Code? {
        do throws(MoQError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "It says where to go and how long that may take, and resets what is still there then",
        arguments: Kind.allCases
    )
    func timeout(kind: Kind) throws {
        let scene = try Scene(kind)
        try scene.session.sendGoaway(for: scene.id, newSessionURI: Self.uri, timeout: .seconds(2))
        scene.harness.run(.milliseconds(1_900))
        #expect(scene.goaways == [Goaway(newSessionURI: Self.uri, timeout: 2_000)])
        #expect(scene.ends == 0 && scene.session.counters.liveRequests == 1)
        #expect(scene.harness.peer.resets.isEmpty)
        scene.harness.run(.milliseconds(200))
        let reset = StreamResetCode.goingAway.wireValue(in: .draft18)
        #expect(scene.harness.peer.resets.contains(reset))
        #expect(scene.stream.send.isClosed, "the other direction is stopped")
        #expect(scene.ends == 1 && scene.session.counters.liveRequests == 0)
        #expect(scene.session.isOpen && !scene.session.isGoingAway)
    }

    @Test("A request that the peer moves in time ends as it says, and other requests go on", arguments: Kind.allCases)
    func moves(kind: Kind) throws {
        let scene = try Scene(kind)
        try scene.session.sendGoaway(for: scene.id, timeout: .seconds(2))
        scene.harness.run()
        scene.stream.send.reset(code: 1)
        scene.stream.receive.stopSending(code: 1)
        scene.harness.run()
        #expect(scene.goaways == [Goaway(timeout: 2_000)])
        #expect(scene.ends == 1 && scene.session.counters.liveRequests == 0)
        // New requests are welcome: it was about that one.
        let next = SubscribeTracks(requestID: scene.harness.peerID(1), prefix: TrackNamespace(path: "other"))
        try scene.harness.peer.request(.subscribeTracks(next))
        scene.harness.run(.seconds(3))
        #expect(scene.harness.handler.feeds.last?.prefix == TrackNamespace(path: "other"))
        #expect(!scene.harness.peer.resets.contains(StreamResetCode.goingAway.wireValue(in: .draft18)))
        #expect(scene.ends == 1)
    }

    @Test("Without a time it is left to the peer; and it is said once", arguments: [nil, Duration.zero])
    func noTimeout(timeout: Duration?) throws {
        let scene = try Scene(.subscribe)
        try scene.session.sendGoaway(for: scene.id, timeout: timeout)
        #expect(self.code { () throws(MoQError) in try scene.session.sendGoaway(for: scene.id) } == .invalidState)
        scene.harness.run(.seconds(600))
        #expect(scene.goaways == [Goaway(timeout: 0)])
        #expect(scene.ends == 0)
    }

    @Test("A client says no URI")
    func client() throws {
        let scene = try Scene(.publish, peer: .server)
        try scene.session.sendGoaway(for: scene.id, newSessionURI: Self.uri, timeout: .milliseconds(50))
        scene.harness.run(.milliseconds(20))
        #expect(scene.goaways == [Goaway(timeout: 50)])
    }

    @Test("What cannot be said is an error, and changes nothing")
    func errors() throws {
        let scene = try Scene(.subscribe)
        let session = scene.session
        let long = "moqt://" + String(repeating: "x", count: 8_200)
        let tooLong = self.code { () throws(MoQError) in
            try session.sendGoaway(for: scene.id, newSessionURI: long)
        }
        #expect(tooLong == .notExpressible)
        // One that is not answered, one that does not exist, one of this side, and one that is over.
        let request = Subscribe(requestID: scene.harness.peerID(1), track: Harness.track.with("audio"))
        try scene.harness.peer.request(.subscribe(request))
        let own = session.subscribe(SubscribeRequest(track: Harness.track), consumer: CollectingConsumer()) { _ in }
        scene.harness.run()
        try scene.harness.peer.reply(.subscribeOk(SubscribeOk(trackAlias: TrackAlias(7))))
        scene.harness.run()
        #expect(own.state == .active)
        let ownID = try #require(own.requestID)
        for id in [request.requestID, scene.harness.peerID(9), ownID] {
            #expect(self.code { () throws(MoQError) in try session.sendGoaway(for: id) } == .invalidState)
        }
        scene.stream.send.reset(code: 1)
        scene.harness.run()
        #expect(self.code { () throws(MoQError) in try session.sendGoaway(for: scene.id) } == .invalidState)
        #expect(scene.goaways.isEmpty)
    }

    @Test("Drafts without it say so", arguments: Variant.all.filter { $0.profile != .draft18 })
    func notExpressible(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (_, publisher) = try harness.subscribe(consumer: consumer)
        let id = try #require(publisher.requestID)
        #expect(self.code { () throws(MoQError) in try harness.publisher.sendGoaway(for: id) } == .notExpressible)
        #expect(publisher.forward)
    }

    @Test(
        "The subscriber is told, and gets what is published until it goes",
        arguments: Variant.all.filter { $0.profile == .draft18 }
    )
    func told(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingConsumer()
        let (subscription, publisher) = try harness.subscribe(consumer: consumer)
        let id = try #require(publisher.requestID)
        try harness.publisher.sendGoaway(for: id, newSessionURI: Self.uri, timeout: .seconds(9))
        publisher.send(group: 0, [[1]])
        harness.run()
        let uri = variant.subscriber == .client ? Self.uri : nil
        let said = SessionGoaway(newSessionURI: uri, timeout: .seconds(9))
        #expect(harness.subscriberHandler.requestGoaways.map(\.goaway) == [said])
        #expect(harness.subscriberHandler.requestGoaways.map(\.request) == [subscription.requestID])
        #expect(consumer.subgroups.count == 1)
        subscription.cancel()
        harness.run(.seconds(10))
        harness.expectNothingLive()
    }
}

extension FullTrackName {
    /// The same namespace with another name.
    fileprivate func with(_ name: String) -> FullTrackName {
        FullTrackName(namespace: self.namespace, name: name)
    }
}
