// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Limits", .timeLimit(.minutes(2)))
struct LimitTests {
    /// EXCESSIVE_LOAD, or what it becomes in a draft without it.
    private static func excessiveLoad(_ draft: DraftProfile) -> RequestErrorCode {
        draft.version == .draft18 ? .excessiveLoad : .internalError
    }

    @Test("Sessions", arguments: DraftProfile.all)
    func sessions(_ draft: DraftProfile) {
        let world = RelayWorld(MoQRelayConfiguration(maximumSessions: 2))
        let clients = (0..<3).map { _ in world.connect(draft) }
        #expect(clients.map(\.isSetUp) == [true, true, false])
        #expect(clients.map(\.isClosed) == [false, false, true])
        #expect(world.relay.counters.sessionsRefused == 1)
        clients[0].session.close(.noError, reason: "")
        world.settle()
        #expect(world.connect(draft).isSetUp)
        world.closeAll()
    }

    @Test("Namespaces, of a session and altogether", arguments: DraftProfile.all)
    func namespaces(_ draft: DraftProfile) {
        let world = RelayWorld(MoQRelayConfiguration(maximumNamespacesPerSession: 2, maximumNamespaces: 3))
        let first = world.connect(draft)
        let second = world.connect(draft)
        let announced = ["a", "b", "c"].map { first.announce($0) }
        world.settle()
        #expect(announced.map(\.isAccepted) == [true, true, false])
        let others = ["d", "e"].map { second.announce($0) }
        world.settle()
        #expect(others.map(\.isAccepted) == [true, false])
        #expect(world.live.namespaces == 3)
        #expect(world.relay.counters.requestsOverLimit == 2)
        announced[0].publication?.withdraw()
        world.settle()
        let again = second.announce("e")
        world.settle()
        #expect(again.isAccepted)
        world.closeAll()
    }

    @Test("Tracks", arguments: DraftProfile.all)
    func tracks(_ draft: DraftProfile) {
        let world = RelayWorld(MoQRelayConfiguration(maximumTracks: 1))
        let publisher = world.connect(draft)
        _ = publisher.announce("live")
        let subscriber = world.connect(draft)
        world.settle()
        let first = subscriber.subscribe("live", "one")
        world.settle()
        let second = subscriber.subscribe("live", "two")
        let offered = publisher.publish("live", "three")
        world.settle()
        #expect(first.answer != nil)
        #expect(second.refusal == Self.excessiveLoad(draft))
        #expect(offered.results.count == 1)
        #expect(world.live.tracks == 1)
        first.subscription?.cancel()
        world.settle()
        let third = subscriber.subscribe("live", "two")
        world.settle()
        #expect(third.answer != nil)
        world.closeAll()
    }

    @Test("Subscribers of a track, and of these the waiting ones", arguments: DraftProfile.all)
    func subscribers(_ draft: DraftProfile) {
        let world = RelayWorld(
            MoQRelayConfiguration(maximumSubscribersPerTrack: 3, maximumPendingSubscribersPerTrack: 2)
        )
        let publisher = world.connect(draft)
        var held: [IncomingSubscribe] = []
        publisher.onSubscribe = { held.append($0) }
        _ = publisher.announce("live")
        let clients = (0..<5).map { _ in world.connect(draft) }
        world.settle()
        let waiting = clients[0..<3].map { $0.subscribe("live") }
        world.settle()
        #expect(waiting.map { $0.results.isEmpty } == [true, true, false])
        #expect(waiting[2].refusal == Self.excessiveLoad(draft))
        _ = held[0].accept()
        world.settle()
        #expect(waiting[0].answer != nil)
        let later = clients[3...].map { $0.subscribe("live") }
        world.settle()
        #expect(later.map { $0.answer != nil } == [true, false])
        #expect(world.live.subscribers == 3)
        world.closeAll()
    }

    @Test("Subscriptions and namespace subscriptions of a session", arguments: DraftProfile.all)
    func perSession(_ draft: DraftProfile) {
        let world = RelayWorld(
            MoQRelayConfiguration(maximumSubscriptionsPerSession: 1, maximumNamespaceSubscriptionsPerSession: 1)
        )
        let publisher = world.connect(draft)
        _ = publisher.announce("live")
        let client = world.connect(draft)
        world.settle()
        let tracks = ["one", "two"].map { client.subscribe("live", $0) }
        let prefixes = ["a", "b"].map { client.follow($0) }
        world.settle()
        #expect(tracks[0].answer != nil)
        #expect(tracks[1].refusal == Self.excessiveLoad(draft))
        #expect(prefixes.map(\.isAccepted) == [true, false])
        #expect(prefixes[1].refusal == Self.excessiveLoad(draft))
        world.closeAll()
    }

    @Test("Publishers of a track", arguments: DraftProfile.all)
    func publishers(_ draft: DraftProfile) {
        let world = RelayWorld(MoQRelayConfiguration(maximumPublishersPerTrack: 2))
        let offered = (0..<3).map { _ in world.connect(draft).publish("live") }
        world.settle()
        let isAccepted = offered.map { track in
            guard case .success? = track.results.first else {
                return false
            }
            return true
        }
        #expect(isAccepted == [true, true, false])
        #expect(world.live.upstreams == 2)
        world.closeAll()
    }
}
