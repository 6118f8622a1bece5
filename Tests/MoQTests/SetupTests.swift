// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Setup and close", .timeLimit(.minutes(2)))
struct SetupTests {
    @Test("Both sides learn what the other said, once", arguments: DraftProfile.all)
    func setup(profile: DraftProfile) throws {
        var configuration = MoQSessionConfiguration()
        configuration.setup = SetupOptions(path: "/live", authority: "example.com", implementation: "tester")
        let harness = Harness(Variant(profile: profile, subscriber: .client), client: configuration)
        harness.start()
        harness.run()

        #expect(harness.client.state == .established)
        #expect(harness.server.state == .established)
        #expect(harness.clientHandler.setups == 1)
        #expect(harness.serverHandler.setups == 1)
        #expect(harness.server.peerSetup?.path == "/live")
        #expect(harness.server.peerSetup?.authority == "example.com")
        #expect(harness.server.peerSetup?.implementation == "tester")
        #expect(harness.client.peerSetup?.implementation == "moqingbird")
        #expect(harness.client.peerSetup?.path == nil)
    }

    @Test("A close reaches the peer with code and reason, and both handlers once", arguments: DraftProfile.all)
    func close(profile: DraftProfile) {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        harness.client.close(.unauthorized, reason: "no entry")
        harness.client.close(.internalError, reason: "again")
        harness.run()

        let local = MoQSessionClosure(origin: .local, code: .unauthorized, reason: "no entry")
        #expect(harness.clientHandler.closures == [local])
        #expect(harness.serverHandler.closures.count == 1)
        #expect(harness.serverHandler.closures.first?.origin == .peer)
        #expect(harness.serverHandler.closures.first?.code == .unauthorized)
        #expect(harness.server.state == .closed)
        #expect(harness.loop.counters.liveTimers == 0)
    }

    @Test(
        "A peer that says nothing is closed with CONTROL_MESSAGE_TIMEOUT",
        arguments: DraftProfile.all,
        [Role.client, .server]
    )
    func timeout(profile: DraftProfile, role: Role) {
        let harness = Harness(Variant(profile: profile, subscriber: role))
        harness.subscriber.start()
        harness.run(.seconds(9))
        #expect(harness.subscriber.isOpen)
        harness.run(.seconds(2))
        #expect(harness.subscriberHandler.closures.map(\.code) == [.controlMessageTimeout])
    }

    @Test("A lost connection ends the session with the transport's cause", arguments: DraftProfile.all)
    func severed(profile: DraftProfile) {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        harness.link.sever(.idleTimeout)
        harness.run()
        #expect(harness.clientHandler.closures.map(\.origin) == [.transport("idleTimeout")])
        #expect(harness.serverHandler.closures.map(\.isClean) == [false])
    }

    @Test("A session that is closed before it starts tells its handler", arguments: DraftProfile.all)
    func closedBeforeStart(profile: DraftProfile) {
        let harness = Harness(Variant(profile: profile, subscriber: .client))
        harness.client.close()
        harness.client.start()
        #expect(harness.clientHandler.closures.count == 1)
    }

    @Test("Requests after the close fail, each once, and not from inside the call", arguments: DraftProfile.all)
    func requestsAfterClose(profile: DraftProfile) {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        harness.client.close()
        var errors: [MoQError.Code] = []
        let consumer = CollectingConsumer()
        harness.client.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) { result in
            if case .failure(let error) = result { errors.append(error.code) }
        }
        harness.client.publish(PublishRequest(track: Harness.track)) { result in
            if case .failure(let error) = result { errors.append(error.code) }
        }
        harness.client.publishNamespace(TrackNamespace(path: "a")) { result in
            if case .failure(let error) = result { errors.append(error.code) }
        }
        #expect(errors.isEmpty)
        harness.run()
        #expect(errors == [.sessionClosed, .sessionClosed, .sessionClosed])
        #expect(consumer.ends.isEmpty)
    }

    @Test("GOAWAY is told with its URI, and ends requests in both directions", arguments: DraftProfile.all)
    func goaway(profile: DraftProfile) {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        harness.server.sendGoaway(newSessionURI: "moqt://elsewhere/", timeout: .seconds(3))
        harness.server.sendGoaway(newSessionURI: "moqt://again/")
        harness.run()
        #expect(harness.clientHandler.goaways.count == 1)
        #expect(harness.clientHandler.goaways.first?.uri == "moqt://elsewhere/")
        if profile == .draft18 {
            #expect(harness.clientHandler.goaways.first?.timeout == .seconds(3))
        }
        var errors: [MoQError.Code] = []
        harness.client.publishNamespace(TrackNamespace(path: "a")) { result in
            if case .failure(let error) = result { errors.append(error.code) }
        }
        harness.run()
        #expect(errors == [.goingAway])
        #expect(harness.client.isGoingAway)
        harness.run(.seconds(10))
        #expect(harness.server.isOpen, "nobody had an open request")
    }

    @Test("After GOAWAY and its timeout, open requests close the session", arguments: DraftProfile.all)
    func goawayTimeout(profile: DraftProfile) throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let consumer = CollectingConsumer()
        _ = try harness.subscribe(consumer: consumer)
        harness.server.sendGoaway(timeout: .seconds(2))
        harness.run(.seconds(3))
        #expect(harness.serverHandler.closures.map(\.code) == [.goawayTimeout])
        #expect(consumer.ends.map(\.cause) == [.sessionClosed])
    }

    @Test("A request that crosses GOAWAY is refused", arguments: DraftProfile.all)
    func crossesGoaway(profile: DraftProfile) {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        var errors: [MoQError] = []
        harness.server.sendGoaway()
        harness.client.publishNamespace(TrackNamespace(path: "a")) { result in
            if case .failure(let error) = result { errors.append(error) }
        }
        harness.run()
        #expect(errors.map(\.code) == [.rejected])
        #expect(errors.first?.requestError == (profile == .draft18 ? .goingAway : .internalError))
        #expect(harness.serverHandler.announcements.isEmpty)
    }
}
