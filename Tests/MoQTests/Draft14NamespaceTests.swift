// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Draft 14: namespaces by their names", .timeLimit(.minutes(2)))
struct Draft14NamespaceTests {
    private let prefix = TrackNamespace(path: "live")

    private func harness(configuration: MoQSessionConfiguration = MoQSessionConfiguration()) -> Harness {
        Harness.established(Variant(profile: .draft14, subscriber: .client), configuration: configuration)
    }

    private func messages(_ harness: RawHarness, _ kind: (MoQMessage) -> TrackNamespace?) -> [TrackNamespace] {
        harness.peer.messages.compactMap(kind)
    }

    private func announced(_ harness: RawHarness) -> [TrackNamespace] {
        self.messages(harness) { message in
            if case .publishNamespace(let message) = message { message.namespace } else { nil }
        }
    }

    @Test("PUBLISH_NAMESPACE_DONE withdraws the namespace that it names, and others are passed over")
    func done() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        var withdrawn: [TrackNamespace] = []
        harness.handler.onAnnouncement = { request in
            let namespace = request.namespace
            request.onWithdrawn = { withdrawn.append(namespace) }
            request.accept()
        }
        for (index, path) in ["a", "b"].enumerated() {
            let message = PublishNamespace(
                requestID: harness.peerID(UInt64(index)),
                namespace: TrackNamespace(path: path)
            )
            try harness.peer.request(.publishNamespace(message))
        }
        for path in ["b", "nowhere", "b"] {
            let done = PublishNamespaceDone(namespace: TrackNamespace(path: path))
            try harness.peer.sendControl(.publishNamespaceDone(done))
        }
        harness.run()
        #expect(withdrawn == [TrackNamespace(path: "b")])
        #expect(harness.session.counters.lateMessages == 2)
        #expect(harness.session.counters.liveRequests == 1)
        #expect(harness.session.isOpen)
        // What was withdrawn can be announced again.
        let again = PublishNamespace(requestID: harness.peerID(2), namespace: TrackNamespace(path: "b"))
        try harness.peer.request(.publishNamespace(again))
        harness.run()
        #expect(harness.session.counters.liveRequests == 2)
    }

    @Test("A namespace that is announced twice is refused the second time, and the first stands")
    func twice() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        var withdrawals = 0
        harness.handler.onAnnouncement = { request in
            request.onWithdrawn = { withdrawals += 1 }
            request.accept()
        }
        for index in UInt64(0)..<2 {
            let message = PublishNamespace(requestID: harness.peerID(index), namespace: self.prefix)
            try harness.peer.request(.publishNamespace(message))
        }
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == [.internalError])
        try harness.peer.sendControl(.publishNamespaceDone(PublishNamespaceDone(namespace: self.prefix)))
        harness.run()
        #expect(withdrawals == 1)
        #expect(harness.session.counters.liveRequests == 0)
    }

    @Test("A withdrawal and a revocation name the namespace")
    func ownMessages() throws {
        let harness = try RawHarness.established(.draft14, peer: .server)
        let publication = harness.session.publishNamespace(self.prefix) { _ in }
        harness.run()
        publication.withdraw()
        harness.run()
        #expect(
            self.messages(harness) { message in
                if case .publishNamespaceDone(let done) = message { done.namespace } else { nil }
            } == [self.prefix]
        )
        harness.handler.onAnnouncement = {
            $0.accept()
            $0.cancel(.expiredAuthToken, reason: "too old")
        }
        let message = PublishNamespace(requestID: harness.peerID(), namespace: self.prefix)
        try harness.peer.request(.publishNamespace(message))
        harness.run()
        guard case .publishNamespaceCancel(let cancel) = harness.peer.messages.last else {
            Issue.record("\(harness.peer.messages)")
            return
        }
        #expect(cancel.namespace == self.prefix)
        #expect(cancel.code == .expiredAuthToken)
        #expect(harness.session.counters.liveRequests == 0)
    }

    @Test("UNSUBSCRIBE_NAMESPACE ends the subscription with its prefix, and others are passed over")
    func unsubscribe() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        var cancels = 0
        harness.handler.onFeed = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            request.accept()
            harness.handler.feeds.append(request)
        }
        let message = SubscribeNamespace(requestID: harness.peerID(), prefix: self.prefix, interest: .both)
        try harness.peer.request(.subscribeNamespace(message))
        harness.run()
        harness.handler.feeds.first?.publish(TrackNamespace(path: "live/one"))
        harness.run()
        for path in ["li", "live/one", "live"] {
            let end = UnsubscribeNamespace(prefix: TrackNamespace(path: path))
            try harness.peer.sendControl(.unsubscribeNamespace(end))
        }
        harness.run()
        #expect(cancels == 1)
        #expect(harness.session.counters.lateMessages == 2)
        #expect(harness.session.counters.liveRequests == 0)
        harness.handler.feeds.first?.publish(TrackNamespace(path: "live/two"))
        harness.run()
        #expect(self.announced(harness) == [TrackNamespace(path: "live/one")])
        #expect(harness.session.isOpen)
    }

    @Test("A long list of namespaces is announced a few at a time, in order, and all of it")
    func window() throws {
        let harness = try RawHarness.established(.draft14, peer: .client)
        harness.handler.onFeed = { [unowned harness] request in
            request.accept()
            harness.handler.feeds.append(request)
        }
        let message = SubscribeNamespace(requestID: harness.peerID(), prefix: self.prefix, interest: .both)
        try harness.peer.request(.subscribeNamespace(message))
        harness.run()
        let feed = try #require(harness.handler.feeds.first)
        let namespaces = (0..<50).map { TrackNamespace(path: "live/\($0)") }
        for namespace in namespaces {
            feed.publish(namespace)
        }
        harness.run()
        #expect(self.announced(harness) == Array(namespaces[..<16]))
        // One that waits is taken back before it is said, one that was said is withdrawn.
        feed.withdraw(namespaces[40])
        feed.withdraw(namespaces[0])
        var answered = 0
        while answered < self.announced(harness).count {
            let id = RequestID(UInt64(1 + 2 * answered))
            // A refusal does not stop the rest.
            try harness.peer.sendControl(
                answered == 3
                    ? .requestError(RequestError(requestID: id, answers: .publishNamespace, code: .uninterested))
                    : .requestOk(RequestOk(requestID: id, answers: .publishNamespace))
            )
            answered += 1
            harness.run()
        }
        #expect(self.announced(harness) == namespaces.filter { $0 != namespaces[40] })
        #expect(
            self.messages(harness) { message in
                if case .publishNamespaceDone(let done) = message { done.namespace } else { nil }
            } == [namespaces[0]]
        )
        #expect(harness.session.isOpen)
        // The subscription, and what stands: all but the one withdrawn, the one refused and the one never said.
        #expect(harness.session.counters.liveRequests == 1 + 47)
    }

    @Test("Namespaces that the peer permits no request for are announced when it does")
    func permission() throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 8
        let harness = self.harness(configuration: configuration)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeNamespace(self.prefix, events: { events.append($0) }, response: { _ in })
        harness.run()
        let feed = try #require(harness.publisherHandler.feeds.first)
        for index in 0..<12 {
            feed.publish(TrackNamespace(path: "live/\(index)"))
        }
        harness.run()
        #expect(events.count == 8)
        for index in 0..<6 {
            feed.withdraw(TrackNamespace(path: "live/\(index)"))
        }
        harness.run()
        #expect(events.count { if case .withdrawn = $0 { true } else { false } } == 6)
        #expect(events.count { if case .published = $0 { true } else { false } } == 12)
    }

    @Test("A report does not fail because requests of the application fill the queue")
    func reportBesideFullQueue() throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxPeerRequests = 8
        configuration.maxWaitingRequests = 2
        let harness = self.harness(configuration: configuration)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeNamespace(self.prefix, events: { events.append($0) }, response: { _ in })
        harness.run()
        let feed = try #require(harness.publisherHandler.feeds.first)
        var answers: [Result<RequestOk, MoQError>] = []
        for _ in 0..<11 {
            harness.publisher.trackStatus(of: Harness.track) { answers.append($0) }
        }
        for index in 0..<3 {
            feed.publish(TrackNamespace(path: "live/\(index)"))
        }
        harness.run()
        #expect(answers.map { $0.failure?.code } == [.requestLimit])
        #expect(events.isEmpty)
        while !harness.subscriberHandler.statuses.isEmpty {
            harness.subscriberHandler.statuses.removeFirst().accept(largest: nil)
            harness.run()
        }
        #expect(answers.count == 11)
        #expect(events.count { if case .published = $0 { true } else { false } } == 3)
    }

    @Test("What a subscriber announced on its own account is not reported to it again")
    func notTwice() throws {
        let harness = self.harness()
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        harness.subscriberHandler.onAnnouncement = { $0.accept() }
        harness.publisher.publishNamespace(NamespaceTests.space) { _ in }
        harness.run()
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeNamespace(self.prefix, events: { events.append($0) }, response: { _ in })
        harness.run()
        harness.publisherHandler.feeds.first?.publish(NamespaceTests.space)
        harness.run()
        #expect(events.isEmpty)
        #expect(harness.publisher.counters.liveRequests == 2)
    }

    @Test("An announcement outside every prefix, or of a follower of tracks only, is no event")
    func otherAnnouncements() throws {
        let harness = self.harness()
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeTracks(self.prefix, events: { events.append($0) }, response: { _ in })
        harness.run()
        var results: [Result<Void, MoQError>] = []
        harness.publisher.publishNamespace(TrackNamespace(path: "live/one")) { results.append($0) }
        harness.publisher.publishNamespace(TrackNamespace(path: "other")) { results.append($0) }
        harness.run()
        #expect(results.count == 1 && results.first?.failure == nil, "it was asked for, after all")
        #expect(harness.subscriberHandler.announcements.map(\.namespace) == [TrackNamespace(path: "other")])
        #expect(events.isEmpty)
    }

    @Test("More namespaces than a subscriber remembers are refused")
    func tooMany() {
        var configuration = MoQSessionConfiguration()
        configuration.maxNamespacesPerSubscription = 2
        let harness = self.harness(configuration: configuration)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        let subscription = harness.subscriber.subscribeNamespace(
            self.prefix,
            events: { events.append($0) },
            response: { _ in }
        )
        harness.run()
        for index in 0..<4 {
            harness.publisherHandler.feeds.first?.publish(TrackNamespace(path: "live/\(index)"))
        }
        harness.run()
        #expect(events.count == 2)
        #expect(subscription.namespaces.count == 2)
        #expect(harness.subscriber.isOpen && harness.publisher.isOpen)
    }

    @Test("A refused announcement reports the codes of its kind")
    func codes() {
        let harness = self.harness()
        var results: [Result<Void, MoQError>] = []
        for code in [RequestErrorCode.uninterested, .expiredAuthToken, .doesNotExist] {
            harness.subscriberHandler.onAnnouncement = { $0.reject(code) }
            harness.publisher.publishNamespace(self.prefix) { results.append($0) }
            harness.run()
        }
        // Draft 14 counts the errors of each kind by itself, and this kind does not know the last one.
        #expect(results.map { $0.failure?.requestError } == [.uninterested, .expiredAuthToken, .internalError])
    }
}
