// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// From draft 18 on the prefix that is followed can be another one (draft-18 §10.9.2).
@Suite("Following another prefix", .timeLimit(.minutes(2)))
struct PrefixUpdateTests {
    private static let variants = Variant.all.filter { $0.profile == .draft18 }

    private static func space(_ path: String) -> TrackNamespace {
        TrackNamespace(path: path)
    }

    /// What a subscriber heard.
    private final class Follower {
        var events: [NamespaceEvent] = []
        var responses: [MoQError.Code?] = []
        var moves: [Result<Void, MoQError>] = []
        let subscription: NamespaceSubscription

        init(_ harness: Harness, _ path: String) {
            let events = Box<(NamespaceEvent) -> Void>()
            let responses = Box<(MoQError.Code?) -> Void>()
            self.subscription = harness.subscriber.subscribeNamespace(
                TrackNamespace(path: path),
                events: { events.value?($0) },
                response: { responses.value?($0.failure?.code) }
            )
            events.value = { [weak self] in self?.events.append($0) }
            responses.value = { [weak self] in self?.responses.append($0) }
        }

        func move(to path: String) {
            self.subscription.update(prefix: TrackNamespace(path: path)) { [weak self] in self?.moves.append($0) }
        }
    }

    /// A publisher with these namespaces, which reports them under every prefix.
    private func serve(_ paths: [String], in harness: Harness) {
        harness.publisherHandler.onFeed = { [unowned harness] request in
            let publish = { [unowned request] in
                for path in paths {
                    request.publish(TrackNamespace(path: path))
                }
            }
            request.onPrefixUpdate = { update in
                update.accept()
                publish()
            }
            request.accept()
            publish()
            harness.publisherHandler.feeds.append(request)
        }
    }

    @Test("What is not under the new prefix is gone, what is new is told, and the rest stays", arguments: variants)
    func moves(variant: Variant) throws {
        let harness = Harness.established(variant)
        self.serve(["live/one", "live/two/deep", "other"], in: harness)
        let follower = Follower(harness, "live")
        harness.run()
        #expect(follower.events == [.published(Self.space("live/one")), .published(Self.space("live/two/deep"))])

        follower.move(to: "live/two")
        #expect(follower.subscription.prefix == Self.space("live"), "not before the answer")
        harness.run()
        #expect(follower.moves.map(\.failure?.code) == [nil])
        #expect(follower.subscription.prefix == Self.space("live/two"))
        #expect(follower.subscription.namespaces == [Self.space("live/two/deep")])
        #expect(follower.events.dropFirst(2) == [.withdrawn(Self.space("live/one"))])

        follower.move(to: "")
        harness.run()
        #expect(follower.events.dropFirst(3) == [.published(Self.space("live/one")), .published(Self.space("other"))])
        let feed = try #require(harness.publisherHandler.feeds.first)
        #expect(feed.prefix == TrackNamespace() && feed.request.prefix == Self.space("live"))
        feed.withdraw(Self.space("live/two/deep"))
        feed.publish(Self.space("live"))
        harness.run()
        #expect(follower.events.suffix(2) == [.withdrawn(Self.space("live/two/deep")), .published(Self.space("live"))])

        follower.move(to: "elsewhere")
        harness.run()
        #expect(follower.subscription.namespaces.isEmpty)
        #expect(follower.events.count == 10)
        follower.subscription.cancel()
        harness.run()
        #expect(follower.events.count == 11 && follower.events.last == .ended(nil))
        harness.expectNothingLive()
    }

    @Test("Drafts that cannot say it say so", arguments: Variant.all.filter { $0.profile != .draft18 })
    func notExpressible(variant: Variant) {
        let harness = Harness.established(variant)
        self.serve([], in: harness)
        let follower = Follower(harness, "live")
        harness.run()
        follower.move(to: "other")
        #expect(follower.moves.map(\.failure?.code) == [.notExpressible])
        #expect(follower.subscription.isEstablished)
    }

    @Test("A prefix that overlaps is refused here, the one that is moving included", arguments: variants)
    func overlapHere(variant: Variant) {
        let harness = Harness.established(variant)
        self.serve([], in: harness)
        let one = Follower(harness, "a")
        let two = Follower(harness, "b")
        harness.run()
        two.move(to: "a/b")
        two.move(to: "c")
        two.move(to: "d")
        #expect(two.moves.map(\.failure?.code) == [.prefixOverlap, .invalidState])
        let late = ["b/x", "c/x", "d"].map { Follower(harness, $0) }
        harness.run()
        #expect(two.moves.map(\.failure?.code) == [.prefixOverlap, .invalidState, nil])
        #expect(late.map(\.responses) == [[.prefixOverlap], [.prefixOverlap], [nil]])
        // Its own prefix, and what overlaps with that, is no obstacle, and the old one is free.
        two.move(to: "c/deeper")
        harness.run()
        let again = Follower(harness, "b")
        harness.run()
        #expect(two.moves.last?.failure == nil && two.moves.count == 4)
        #expect(again.responses == [nil])
        #expect(one.subscription.isEstablished)
    }

    @Test("Who is refused is told why, and the subscription ends", arguments: variants)
    func refused(variant: Variant) {
        let harness = Harness.established(variant)
        var cancels = 0
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            switch harness.publisherHandler.feeds.count {
            case 0: request.onPrefixUpdate = { $0.reject(.unauthorized, reason: "not you") }
            case 1: request.onPrefixUpdate = { _ in }
            default: break
            }
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        let followers = ["a", "b", "c"].map { Follower(harness, $0) }
        harness.run()
        for follower in followers {
            follower.move(to: "x")
            harness.run()
        }
        let codes: [RequestErrorCode?] = followers.map { $0.moves.first?.failure?.requestError }
        #expect(codes == [.unauthorized, .internalError, .notSupported])
        for follower in followers {
            guard case .ended(let error?) = follower.events.last, follower.events.count == 1 else {
                Issue.record("no end: \(follower.events)")
                continue
            }
            #expect(error.code == .cancelledByPeer)
        }
        #expect(cancels == 3)
        harness.expectNothingLive()
    }

    @Test("An end comes before the answer", arguments: variants, [true, false])
    func ends(variant: Variant, isCancelled: Bool) {
        let harness = Harness.established(variant)
        self.serve(["live"], in: harness)
        let follower = Follower(harness, "live")
        harness.run()
        follower.move(to: "other")
        if isCancelled {
            follower.subscription.cancel()
        } else {
            harness.subscriber.close()
        }
        harness.run()
        #expect(follower.moves.map(\.failure?.code) == [.invalidState])
        #expect(follower.subscription.prefix == Self.space("live"))
        follower.move(to: "late")
        #expect(follower.moves.last?.failure?.code == .invalidState)
    }

    @Test("Tracks that were offered stay when another prefix is followed", arguments: variants)
    func tracks(variant: Variant) {
        let harness = Harness.established(variant)
        self.serve([], in: harness)
        let consumer = CollectingConsumer()
        harness.subscriberHandler.onPublish = { $0.accept(consumer: consumer) }
        var moves: [Result<Void, MoQError>] = []
        let subscription = harness.subscriber.subscribeTracks(Self.space("live"), events: { _ in }, response: { _ in })
        harness.run()
        let publisher = harness.publisher.publish(PublishRequest(track: Harness.track)) { _ in }
        harness.run()
        subscription.update(prefix: Self.space("other")) { moves.append($0) }
        harness.run()
        #expect(moves.map(\.failure?.code) == [nil])
        publisher.send(group: 0, [[1]])
        harness.run()
        #expect(consumer.ends.isEmpty)
        #expect(consumer.subgroups.flatMap(\.objects).count == 1)
    }

    // MARK: Against a peer by hand

    private func update(_ id: RequestID, _ path: String) -> MoQMessage {
        .requestUpdate(RequestUpdate(requestID: id, namespacePrefix: TrackNamespace(path: path)))
    }

    private func subscribe(_ harness: RawHarness, _ path: String, _ index: UInt64) throws -> BidirectionalStream {
        let request = SubscribeNamespace(requestID: harness.peerID(index), prefix: TrackNamespace(path: path))
        return try #require(try harness.peer.request(.subscribeNamespace(request)))
    }

    @Test("A peer whose new prefix overlaps with another one of its own is refused", arguments: Role.both)
    func overlapThere(role: Role) throws {
        let harness = try RawHarness.established(.draft18, peer: role)
        var cancels = 0
        harness.handler.onFeed = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            request.onPrefixUpdate = { $0.accept() }
            request.accept()
            harness.handler.feeds.append(request)
        }
        _ = try self.subscribe(harness, "a", 0)
        let stream = try self.subscribe(harness, "b", 1)
        let tracks = SubscribeTracks(requestID: harness.peerID(2), prefix: Self.space("c"))
        try harness.peer.request(.subscribeTracks(tracks))
        harness.run()
        // The other kind of request has prefixes of its own; and the update frees the old one.
        try stream.send.write(Bytes(try harness.peer.bytes(self.update(harness.peerID(3), "c/d"))))
        harness.run()
        _ = try self.subscribe(harness, "b/x", 4)
        harness.run()
        #expect(harness.handler.feeds.map(\.prefix.description) == ["a", "c-d", "c", "b-x"])
        try stream.send.write(Bytes(try harness.peer.bytes(self.update(harness.peerID(5), "a/d"))))
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == [.prefixOverlap])
        #expect(cancels == 1)
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveRequests == 3)
    }

    @Test("Suffixes belong to the old prefix before the answer, and to the new one behind it")
    func suffixes() throws {
        let harness = try RawHarness.established(.draft18, peer: .server)
        var events: [NamespaceEvent] = []
        var moves = 0
        let subscription = harness.session.subscribeNamespace(
            Self.space("a"),
            events: { events.append($0) },
            response: { _ in }
        )
        harness.run()
        try harness.peer.reply(.requestOk(RequestOk(answers: .subscribeNamespace)))
        harness.run()
        subscription.update(prefix: Self.space("a/b")) { result in moves += result.failure == nil ? 1 : 0 }
        harness.run()
        guard case .requestUpdate(let update) = harness.peer.messages.last else {
            Issue.record("no update: \(harness.peer.messages)")
            return
        }
        #expect(update.namespacePrefix == Self.space("a/b"))
        for path in ["b/c", "x"] {
            try harness.peer.reply(.namespace(Namespace(suffix: Self.space(path))))
        }
        try harness.peer.reply(.requestOk(RequestOk(answers: .requestUpdate)))
        // The first of these is no news.
        for path in ["c", "d"] {
            try harness.peer.reply(.namespace(Namespace(suffix: Self.space(path))))
        }
        try harness.peer.reply(.namespaceDone(NamespaceDone(suffix: Self.space("c"))))
        harness.run()
        #expect(moves == 1)
        let before: [NamespaceEvent] = [.published(Self.space("a/b/c")), .published(Self.space("a/x"))]
        let after: [NamespaceEvent] = [
            .withdrawn(Self.space("a/x")), .published(Self.space("a/b/d")), .withdrawn(Self.space("a/b/c")),
        ]
        #expect(events == before + after)
        // What is out of sight cannot be withdrawn.
        try harness.peer.reply(.namespaceDone(NamespaceDone(suffix: Self.space("x"))))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("Updates that come before the answer wait for it, and for nobody if there is none", arguments: [true, false])
    func early(isAccepted: Bool) throws {
        let harness = try RawHarness.established(.draft18, peer: .client)
        let stream = try self.subscribe(harness, "a", 0)
        for index in 1...2 {
            let update = self.update(harness.peerID(UInt64(index)), "b\(index)")
            try stream.send.write(Bytes(try harness.peer.bytes(update)))
        }
        harness.run()
        #expect(harness.peer.messages.count == 1, "nothing but SETUP")
        let feed = try #require(harness.handler.feeds.first)
        var prefixes: [TrackNamespace] = []
        if isAccepted {
            feed.accept()
            feed.publish(Self.space("a/x"))
        } else {
            feed.reject(.uninterested)
        }
        feed.onPrefixUpdate = { update in
            prefixes.append(update.prefix)
            update.accept()
        }
        harness.run()
        let names = harness.peer.messages.dropFirst().map { message in
            switch message {
            case .requestOk(let ok): ok.answers == .requestUpdate ? "OK of update" : "OK"
            case .namespace(let namespace): "NAMESPACE \(namespace.suffix)"
            case .requestError(let error): "error \(error.code)"
            default: "else"
            }
        }
        if isAccepted {
            let ok = "OK of update"
            #expect(names.count == 4 && names[1...] == ["NAMESPACE x", ok, ok])
            #expect(prefixes == [Self.space("b1"), Self.space("b2")])
        } else {
            #expect(names == ["error \(RequestErrorCode.uninterested)"])
            #expect(prefixes.isEmpty)
        }
        #expect(harness.session.counters.liveRequests == (isAccepted ? 1 : 0))
    }

    @Test("Namespaces that wait for room in the stream go out under the new prefix", arguments: variants)
    func waiting(variant: Variant) throws {
        let padding = [UInt8](repeating: 0x61, count: 4_000)
        let harness = Harness.established(variant)
        let spaces = (0..<60).map { number in
            TrackNamespace(fields: [
                Array("live".utf8), Array(number % 2 == 0 ? "even".utf8 : "odd".utf8), padding + [number],
            ])
        }
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            request.onPrefixUpdate = { [unowned request] update in
                for space in spaces {
                    request.publish(space)
                }
                // Some of them are on their way now, as parts of the old prefix, and others wait.
                update.accept()
            }
            harness.publisherHandler.feeds.append(request)
        }
        let follower = Follower(harness, "live")
        harness.run()
        follower.move(to: "live/even")
        harness.run(.seconds(5))
        let even = spaces.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        #expect(follower.moves.count == 1)
        #expect(Set(follower.subscription.namespaces) == Set(even))
        #expect(harness.publisher.isOpen && harness.subscriber.isOpen)
        let odd = follower.events.filter { event in
            if case .published(let space) = event { return !even.contains(space) }
            return false
        }
        #expect(!odd.isEmpty && odd.count < 30, "some of them were sent before, and not all")
    }

    @Test("Another prefix has to be allowed, with tokens or without")
    func authorized() throws {
        var configuration = MoQSessionConfiguration()
        configuration.authorizer = { request in
            request.namespace == TrackNamespace(path: "secret") ? .unauthorized(reason: "secret") : .allowed
        }
        let harness = Harness.established(
            Variant(profile: .draft18, subscriber: .client),
            configuration: configuration
        )
        self.serve([], in: harness)
        let follower = Follower(harness, "live")
        harness.run()
        follower.move(to: "other")
        harness.run()
        follower.move(to: "secret")
        harness.run()
        #expect(follower.moves.map(\.failure?.requestError) == [nil, .unauthorized])
        #expect(harness.publisher.counters.requestsUnauthorized == 1)
        #expect(!follower.subscription.isEstablished)
    }
}
