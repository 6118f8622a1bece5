// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Namespaces", .timeLimit(.minutes(2)))
struct NamespaceTests {
    static let space = TrackNamespace(path: "live/a")

    @Test("An announcement is accepted, withdrawn, and forgotten", arguments: Variant.all)
    func announce(variant: Variant) throws {
        let harness = Harness.established(variant)
        var withdrawals = 0
        harness.subscriberHandler.onAnnouncement = { request in
            request.onWithdrawn = { withdrawals += 1 }
            request.accept()
        }
        var results: [Result<Void, MoQError>] = []
        let publication = harness.publisher.publishNamespace(Self.space) { results.append($0) }
        harness.run()
        #expect(results.count == 1)
        #expect(results.first?.failure == nil)
        #expect(publication.isEstablished)
        publication.withdraw()
        harness.run()
        #expect(withdrawals == 1)
        #expect(harness.publisher.isOpen)
        #expect(harness.subscriber.isOpen)
        harness.expectNothingLive()
    }

    @Test("A refused announcement fails, and one that is revoked is told", arguments: Variant.all)
    func revoke(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.subscriberHandler.onAnnouncement = { $0.reject(.unauthorized, reason: "not you") }
        var results: [Result<Void, MoQError>] = []
        harness.publisher.publishNamespace(Self.space) { results.append($0) }
        harness.run()
        #expect(results.map { $0.failure?.requestError } == [.unauthorized])

        harness.subscriberHandler.onAnnouncement = { [unowned harness] request in
            request.accept()
            harness.subscriberHandler.announcements.append(request)
        }
        var cancels: [RequestErrorCode?] = []
        let publication = harness.publisher.publishNamespace(Self.space) { results.append($0) }
        publication.onCancelled = { code, _ in cancels.append(code) }
        harness.run()
        harness.subscriberHandler.announcements.first?.cancel(.expiredAuthToken, reason: "too old")
        harness.run()
        #expect(cancels == [variant.profile.hasOwnStream(.publishNamespace) ? nil : .expiredAuthToken])
        #expect(!publication.isEstablished)
        harness.expectNothingLive()
    }

    @Test("The session's end withdraws announcements", arguments: Variant.all)
    func sessionEnds(variant: Variant) throws {
        let harness = Harness.established(variant)
        var withdrawals = 0
        harness.subscriberHandler.onAnnouncement = { request in
            request.onWithdrawn = { withdrawals += 1 }
            request.accept()
        }
        harness.publisher.publishNamespace(Self.space) { _ in }
        harness.run()
        harness.publisher.close()
        harness.run()
        #expect(withdrawals == 1)
    }

    @Test("Namespaces come and go under a prefix", arguments: Variant.all)
    func lifecycle(variant: Variant) throws {
        let harness = Harness.established(variant)
        var cancels = 0
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.onCancelled = { cancels += 1 }
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        var results: [Result<Void, MoQError>] = []
        let subscription = harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "live"),
            events: { events.append($0) },
            response: { results.append($0) }
        )
        harness.run()
        #expect(results.count == 1)
        #expect(subscription.isEstablished)
        let feed = try #require(harness.publisherHandler.feeds.first)
        feed.withdraw(Self.space)
        feed.publish(Self.space)
        feed.publish(Self.space)
        feed.publish(TrackNamespace(path: "live"))
        feed.publish(TrackNamespace(path: "other"))
        harness.run()
        #expect(events == [.published(Self.space), .published(TrackNamespace(path: "live"))])
        #expect(subscription.namespaces.count == 2)
        feed.withdraw(Self.space)
        harness.run()
        #expect(events.last == .withdrawn(Self.space))
        subscription.cancel()
        #expect(events.last == .ended(nil))
        harness.run()
        #expect(cancels == 1)
        #expect(events.count == 4)
        harness.expectNothingLive()
    }

    @Test(
        "A list of namespaces that is longer than a stream's queue goes out bit by bit",
        arguments: Variant.all.filter { $0.profile.hasNamespaceReports }
    )
    func longList(variant: Variant) throws {
        let count = 1_200
        let harness = Harness.established(variant)
        let padding = [UInt8](repeating: 0x61, count: 4_000)
        let spaces = (0..<count).map { number in
            TrackNamespace(fields: [Array("live".utf8), Array("\(number)".utf8), padding])
        }
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
            for space in spaces {
                request.publish(space)
            }
            // Not told yet, and so never.
            request.withdraw(spaces[count - 1])
            request.withdraw(spaces[count - 2])
            request.publish(spaces[count - 2])
        }
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "live"),
            events: { events.append($0) },
            response: { _ in }
        )
        harness.run(.seconds(20))
        #expect(harness.publisher.isOpen)
        #expect(events == spaces.dropLast().map { .published($0) })
        let feed = try #require(harness.publisherHandler.feeds.first)
        feed.withdraw(spaces[0])
        feed.publish(spaces[count - 1])
        harness.run()
        #expect(events.suffix(2) == [.withdrawn(spaces[0]), .published(spaces[count - 1])])
    }

    @Test("A refused prefix fails, and the prefix can be asked for again", arguments: Variant.all)
    func refused(variant: Variant) {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFeed = { $0.reject(.unauthorized, reason: "no") }
        var results: [Result<Void, MoQError>] = []
        for _ in 0..<2 {
            harness.subscriber.subscribeNamespace(
                TrackNamespace(path: "live"),
                events: { _ in },
                response: { results.append($0) }
            )
            harness.run()
        }
        #expect(results.map { $0.failure?.requestError } == [.unauthorized, .unauthorized])
        harness.expectNothingLive()
    }

    @Test("The side that reports can end a subscription", arguments: Variant.all)
    func ended(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var events: [NamespaceEvent] = []
        harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "live"),
            events: { events.append($0) },
            response: { _ in }
        )
        harness.run()
        let feed = try #require(harness.publisherHandler.feeds.first)
        feed.publish(Self.space)
        harness.run()
        feed.end()
        harness.run()
        guard variant.profile.hasNamespaceReports else {
            // There is no message for it; what was reported is withdrawn.
            #expect(events == [.published(Self.space), .withdrawn(Self.space)])
            #expect(harness.publisher.counters.liveRequests == 0)
            return
        }
        guard case .ended(let error?) = events.last else {
            Issue.record("no end: \(events)")
            return
        }
        #expect(error.code == .cancelledByPeer)
        harness.expectNothingLive()
    }

    @Test("Overlapping prefixes are refused, here and by the peer", arguments: Variant.all)
    func overlap(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFeed = { [unowned harness] request in
            request.accept()
            harness.publisherHandler.feeds.append(request)
        }
        var codes: [MoQError.Code?] = []
        harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: {
                codes.append($0.failure?.code)
            }
        )
        harness.subscriber.subscribeNamespace(
            Self.space,
            events: { _ in },
            response: { codes.append($0.failure?.code) }
        )
        harness.subscriber.subscribeNamespace(
            TrackNamespace(path: "dead"),
            events: { _ in },
            response: {
                codes.append($0.failure?.code)
            }
        )
        harness.run()
        #expect(codes.contains(.prefixOverlap))
        #expect(codes.filter { $0 == nil }.count == 2)
        #expect(harness.publisherHandler.feeds.count == 2)
    }
}
