// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQRelay
import MoQWire
import PacketLoop
import PicoQuic
import TestSupport
import Testing

/// FETCH through a relay that remembers, all of it over QUIC on loopback.
@Suite("Fetching over sockets", .tags(.network), .timeLimit(.minutes(2)))
struct FetchTests {
    /// A relay with a publisher of numbered objects, and a viewer through whom the relay gets them.
    private struct Scene {
        let certificate: SelfSignedCertificate
        let server: MoQPicoQuicServer
        let relay: LoopBound<MoQRelay>
        let address: QUICAddress
        let atPublisher = Journal()
        let atViewer = Journal()
        private var clients: [MoQPicoQuicClient] = []

        init(_ plan: NumberedTrack.Plan, publisher: DraftVersion, viewer: DraftVersion) async throws {
            self.certificate = try SelfSignedCertificate()
            let made = Locked<LoopBound<MoQRelay>?>(nil)
            self.server = MoQPicoQuicServer(
                configuration: MoQEndpointConfiguration(credentials: .selfSigned(self.certificate))
            ) { loop in
                let relay = MoQRelay(loop: loop)
                made.withLock { $0 = LoopBound(relay, on: loop) }
                return { transport, profile in relay.accept(transport, profile: profile) }
            }
            self.address = try await self.server.start(on: .loopback(port: 0))
            self.relay = try #require(made.withLock { $0 })
            let atPublisher = self.atPublisher
            try await self.connect(publisher) { loop in
                NumberedTrack(loop: loop, plan: plan, journal: atPublisher)
            }
            await atPublisher.wait { $0.announcements == 1 }
            let watching = try await self.connect(viewer, journal: self.atViewer)
            let atViewer = self.atViewer
            try await watching.withSession { session in
                _ = session.subscribe(
                    SubscribeRequest(track: NumberedTrack.name),
                    consumer: LiveRecorder(journal: atViewer),
                    response: { _ in }
                )
            }
        }

        @discardableResult
        private mutating func connect(
            _ draft: DraftVersion,
            makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler
        ) async throws -> MoQPicoQuicClient {
            var configuration = MoQEndpointConfiguration(drafts: [draft])
            configuration.quic.verification = .pinned([self.certificate.fingerprint])
            let url = try MoQURL("moqt://127.0.0.1:\(self.address.port)")
            let client = try await MoQPicoQuicClient.connect(
                to: url,
                configuration: configuration,
                makeHandler: makeHandler
            )
            self.clients.append(client)
            return client
        }

        /// Connects a client whose session is set up.
        mutating func connect(_ draft: DraftVersion, journal: Journal) async throws -> MoQPicoQuicClient {
            let client = try await self.connect(draft) { _ in TestPeer(journal: journal) }
            await journal.wait { $0.setups == 1 }
            return client
        }

        var counters: MoQRelayCounters {
            get async throws {
                let relay = self.relay
                return try await relay.loop.run { relay.value.counters }
            }
        }

        /// Closes everything, and checks that the relay is left with nothing.
        func close() async throws {
            for client in self.clients {
                await client.close()
            }
            let end = ContinuousClock.now.advanced(by: .seconds(5))
            var live = try await self.counters.live
            while live != MoQRelayCounters.Live(), ContinuousClock.now < end {
                live = try await self.counters.live
            }
            #expect(live == MoQRelayCounters.Live())
            await self.server.stop()
        }
    }

    /// Subscribes and fetches what came before, in one go.
    private static func join(_ client: MoQPicoQuicClient, from start: JoiningStart, journal: Journal) async throws {
        try await client.withSession { session in
            let request = SubscribeRequest(
                track: NumberedTrack.name,
                parameters: SubscriptionParameters(filter: .nextObject)
            )
            let subscription = session.subscribe(request, consumer: LiveRecorder(journal: journal)) { result in
                if case .success(let answer) = result {
                    journal.note { $0.subscribeLargest = answer.largestObject }
                }
            }
            subscription.fetch(from: start, consumer: FetchRecorder(journal: journal)) { result in
                journal.note { $0.fetchAnswers.append(result) }
            }
        }
    }

    @Test("A range is fetched from the relay's memory", arguments: DraftProfile.all)
    func standalone(profile: DraftProfile) async throws {
        let plan = NumberedTrack.Plan(groupSize: 10, end: 100)
        var scene = try await Scene(plan, publisher: profile.version, viewer: profile.version)
        await scene.atViewer.wait { $0.live.count == 100 }
        let journal = Journal()
        let client = try await scene.connect(profile.version, journal: journal)
        for order in [GroupOrder.ascending, .descending] {
            let earlier = journal.facts.fetchOutcomes.count
            try await client.withSession { session in
                let request = FetchRequest(
                    track: NumberedTrack.name,
                    from: Location(group: 2, object: 3),
                    through: .group(4),
                    parameters: FetchParameters(groupOrder: order)
                )
                session.fetch(request, consumer: FetchRecorder(journal: journal)) { result in
                    journal.note { $0.fetchAnswers.append(result) }
                }
            }
            await journal.wait { $0.fetchOutcomes.count > earlier }
        }
        let ascending = Array(plan.objects[23..<50])
        let descending = Array(plan.objects[40..<50]) + plan.objects[30..<40] + plan.objects[23..<30]
        #expect(journal.facts.fetched == ascending + descending)
        #expect(journal.facts.fetchOutcomes == [.complete, .complete])
        #expect(journal.facts.fetchGaps == 0)
        #expect(try journal.facts.fetchAnswers.map { try $0.get().end } == [.group(4), .group(4)])
        #expect(try await scene.counters.cacheHits == 54)
        #expect(scene.atPublisher.facts.fetches == 0)
        try await scene.close()
    }

    @Test(
        "A joining fetch ends where its subscription begins",
        arguments: DraftProfile.all,
        [JoiningStart.groupsBack(2), .groupsBack(0), .groupsBack(50), .group(6)]
    )
    func joining(profile: DraftProfile, start: JoiningStart) async throws {
        let plan = NumberedTrack.Plan(groupSize: 10, end: 95)
        var scene = try await Scene(plan, publisher: profile.version, viewer: profile.version)
        await scene.atViewer.wait { $0.live.count == 95 }
        let journal = Journal()
        let client = try await scene.connect(profile.version, journal: journal)
        try await Self.join(client, from: start, journal: journal)
        await journal.wait { $0.fetchOutcomes.count == 1 }
        let first =
            switch start {
            case .groupsBack(let count): 10 * max(0, 9 - Int(count))
            case .group(let group): 10 * Int(group)
            }
        #expect(journal.facts.fetched == Array(plan.objects[first...]))
        #expect(journal.facts.subscribeLargest == Location(group: 9, object: 4))
        #expect(journal.facts.fetchOutcomes == [.complete])
        #expect(journal.facts.live.isEmpty)
        #expect(scene.atPublisher.facts.fetches == 0)
        try await scene.close()
    }

    @Test("What the relay has not seen comes from the publisher, once", arguments: DraftProfile.all, DraftProfile.all)
    func completed(publisher: DraftProfile, subscriber: DraftProfile) async throws {
        let plan = NumberedTrack.Plan(groupSize: 10, first: 50, end: 95)
        var scene = try await Scene(plan, publisher: publisher.version, viewer: subscriber.version)
        await scene.atViewer.wait { $0.live.count == 45 }
        for _ in 0..<2 {
            let journal = Journal()
            let client = try await scene.connect(subscriber.version, journal: journal)
            try await Self.join(client, from: .group(3), journal: journal)
            await journal.wait { $0.fetchOutcomes.count == 1 }
            #expect(journal.facts.fetched == Array(plan.objects[30...]))
            #expect(journal.facts.fetchGaps == 0)
            #expect(journal.facts.fetchOutcomes == [.complete])
        }
        #expect(scene.atPublisher.facts.fetches == 1, "the second time the relay remembers")
        #expect(try await scene.counters.upstreamFetches == 1)
        try await scene.close()
    }

    @Test(
        "Who joins a track of 1,000 objects a second late gets every object from the group on that it asked for",
        arguments: DraftProfile.all
    )
    func seam(publisher: DraftProfile) async throws {
        try await atOnce(DraftProfile.all) { subscriber in
            let plan = NumberedTrack.Plan(groupSize: 20, end: 3_000, interval: .milliseconds(1), endsTrack: true)
            var scene = try await Scene(plan, publisher: publisher.version, viewer: subscriber.version)
            let journal = Journal()
            let client = try await scene.connect(subscriber.version, journal: journal)
            await scene.atViewer.wait { $0.live.count >= 1_000 }
            try await Self.join(client, from: .groupsBack(10), journal: journal)
            await journal.wait { $0.trackEnds == 1 && $0.fetchOutcomes.count == 1 }
            let facts = journal.facts
            #expect(facts.fetchOutcomes == [.complete])
            #expect(facts.fetchGaps == 0)
            #expect(facts.resets == 0)
            let largest = try #require(facts.subscribeLargest)
            let first = try #require(facts.fetched.first?.location)
            #expect(first == Location(group: largest.group - 10, object: 0))
            #expect(facts.fetched.last?.location == largest)
            // Streams of different groups arrive side by side, so only within a group the order of the live part is given.
            let live = facts.live.enumerated().sorted {
                ($0.element.location.group, $0.offset) < ($1.element.location.group, $1.offset)
            }
            let received = facts.fetched + live.map(\.element)
            #expect(received == plan.objects.filter { $0.location >= first }, "\(subscriber.version)")
            try await scene.close()
        }
    }
}
