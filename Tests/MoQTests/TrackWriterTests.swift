// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@Suite("A track written by a task", .timeLimit(.minutes(1)))
@MainActor
struct TrackWriterTests {
    /// Publishes with a task, without an announcement.
    private func publish(_ harness: Harness) async throws -> TrackWriter {
        let session = harness.writing
        return try await harness.run { try await session.publish(Harness.track, announces: false) }
    }

    /// Subscribes the other side.
    @discardableResult
    private func subscribe(
        _ harness: Harness,
        _ consumer: CollectingConsumer,
        _ parameters: SubscriptionParameters = SubscriptionParameters()
    ) -> Subscription {
        let subscription = harness.subscriber.subscribe(
            SubscribeRequest(track: Harness.track, parameters: parameters),
            consumer: consumer
        ) { consumer.responses.append($0) }
        harness.run()
        return subscription
    }

    @Test("Groups and objects arrive, and the track ends when it was delivered", arguments: Variant.all)
    func groups(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness)
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer)
        try await harness.run {
            try await writer.waitForSubscriber()
            let first = try await writer.beginGroup(priority: 9)
            try await first.write([1])
            try await first.write(contentsOf: [[2], []])
            try await first.finish()
            let second = try await writer.beginGroup(7)
            try await second.write([4], id: 5)
            try await second.finish()
            try await writer.beginGroup().finish()
            let last = try await writer.beginGroup()
            try await last.write([5])
            try await writer.finish()
        }
        #expect(
            consumer.contents == [
                Content(group: 0, id: 0, payload: [1]), Content(group: 0, id: 1, payload: [2]),
                Content(group: 0, id: 2, payload: []), Content(group: 7, id: 5, payload: [4]),
                Content(group: 9, id: 0, payload: [5]),
            ]
        )
        #expect(consumer.subgroups.map(\.description.publisherPriority) == [9, 128, 128, 128])
        #expect(consumer.subgroups.allSatisfy { $0.ends == [.finished] && $0.description.containsEndOfGroup })
        #expect(consumer.ends.map(\.status) == [.trackEnded])
        #expect(harness.publisher.counters.livePublications == 0)
        // The session publishes it no more.
        let late = CollectingConsumer()
        self.subscribe(harness, late)
        #expect(harness.publisherHandler.subscribes.count == 1)
        _ = writer
    }

    @Test("Without a subscriber objects are dropped; who comes late gets the rest of the group", arguments: Variant.all)
    func lateJoiner(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness)
        let group = try await harness.run {
            let group = try await writer.beginGroup(3)
            try await group.write([1])
            return group
        }
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer)
        #expect((try? consumer.responses.first?.get())?.largestObject == Location(group: 3, object: 0))
        try await harness.run {
            try await group.write([2])
            try await writer.finish()
        }
        #expect(consumer.contents == [Content(group: 3, id: 1, payload: [2])])
        #expect(consumer.subgroups.first?.description.isFirstObject == false)
    }

    @Test("Writing waits for a subscriber that reads slowly, and nothing is lost", arguments: Variant.all)
    func backpressure(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness)
        let consumer = CollectingConsumer()
        let subscription = self.subscribe(harness, consumer)
        subscription.pause()
        let written = Box(0)
        let payload = Bytes(pattern(100_000))
        let task = Task.immediate {
            let group = try await writer.beginGroup()
            for _ in 0..<200 {
                try await group.write(payload)
                written.value = (written.value ?? 0) + 1
            }
            try await writer.finish()
        }
        harness.run(.milliseconds(500))
        let before = try #require(written.value)
        #expect(before > 5 && before < 150)
        subscription.resume()
        try await harness.wait(for: task)
        #expect(written.value == 200)
        #expect(consumer.contents.map(\.payload.count) == Array(repeating: 100_000, count: 200))
        #expect(consumer.ends.map(\.status) == [.trackEnded])
    }

    @Test("A subscriber that never reads is given up, and writing goes on without it")
    func stalled() async throws {
        let harness = Harness.established(Variant.all[0])
        let writer = try await self.publish(harness)
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer).pause()
        let payload = Bytes(pattern(100_000))
        try await harness.run {
            let group = try await writer.beginGroup()
            for _ in 0..<200 {
                try await group.write(payload)
            }
            try await writer.finish()
        }
        #expect(harness.publisher.counters.subscribersTooFarBehind == 1)
    }

    @Test("More groups than a peer permits streams wait for each other")
    func manyGroups() async throws {
        let harness = Harness.established(Variant.all[0])
        let writer = try await self.publish(harness)
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer)
        let most = Box(0)
        try await harness.run {
            for number in 0..<1_000 {
                let group = try await writer.beginGroup()
                try await group.write([UInt8(truncatingIfNeeded: number)])
                try await group.finish()
                most.value = max(most.value ?? 0, harness.publisher.counters.liveStreamsOut)
            }
            try await writer.finish()
        }
        #expect(consumer.contents.map(\.group).sorted() == (0..<1_000).map { UInt64($0) })
        #expect((most.value ?? 0) <= 130)
    }

    @Test("What is left out while the subscriber wants nothing does not look complete")
    func forwarding() async throws {
        let harness = Harness.established(Variant.all[0])
        let writer = try await self.publish(harness)
        let consumer = CollectingConsumer()
        let subscription = self.subscribe(harness, consumer)
        let group = try await harness.run {
            let group = try await writer.beginGroup()
            try await group.write([1])
            return group
        }
        harness.run()
        subscription.update(forward: false)
        harness.run()
        try await harness.run { try await group.write([2]) }
        harness.run()
        subscription.update(forward: true)
        harness.run()
        try await harness.run {
            try await group.write([3])
            try await writer.finish()
        }
        harness.run()
        #expect(consumer.contents.map(\.payload) == [[1], [3]])
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.cancelled)], [.reset(.cancelled)]])
    }

    @Test("Properties of the track and of objects arrive, and are refused where they cannot", arguments: Variant.all)
    func properties(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let pair = try #require(KeyValuePair(type: 0x4E2, integer: 5))
        let properties = try PropertyList([pair], coding: variant.profile.coding)
        let session = harness.writing
        let writer = try await harness.run { try await session.publish(Harness.track, announces: false) }
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer)
        try await harness.run {
            let group = try await writer.beginGroup(hasProperties: true)
            try await group.write([1], properties: properties)
            let bare = try await writer.beginGroup()
            await #expect(throws: MoQError.self) { try await bare.write([1], properties: properties) }
            try await bare.write([2], id: 4)
            await #expect(throws: MoQError.self) { try await bare.write([2], id: 3) }
            try await bare.finish()
            await #expect(throws: MoQError.self) { try await bare.write([1]) }
            try await writer.finish()
        }
        #expect(consumer.subgroups.flatMap(\.objects).first?.header.properties == properties)
    }

    @Test("Datagrams arrive, each in a group of its own unless told otherwise")
    func datagrams() async throws {
        let harness = Harness.established(Variant.all[0])
        let writer = try await self.publish(harness)
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer)
        let locations = try await harness.run {
            [
                try await writer.sendDatagram([1]),
                try await writer.sendDatagram([2], at: Location(group: 0, object: 1), priority: 3),
                try await writer.sendDatagram([3]),
            ]
        }
        harness.run()
        #expect(
            locations == [Location(group: 0, object: 0), Location(group: 0, object: 1), Location(group: 1, object: 0)]
        )
        // What is sent in one go waits together, and the more urgent one goes first.
        #expect(consumer.datagrams.map(\.payload) == [[2], [1], [3]])
        #expect(consumer.datagrams.first?.header.publisherPriority == 3)
    }

    @Test("A writer and a group that are let go end as incomplete")
    func letGo() async throws {
        let harness = Harness.established(Variant.all[0])
        var writer: TrackWriter? = try await self.publish(harness)
        let consumer = CollectingConsumer()
        self.subscribe(harness, consumer)
        try await harness.run { [writer] in
            let group = try await #require(writer).beginGroup()
            try await group.write([1])
            while consumer.contents.isEmpty {
                await Task.yield()
            }
        }
        harness.run()
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.cancelled)]])
        #expect(consumer.ends.isEmpty)
        #expect(writer != nil)
        writer = nil
        harness.run(.seconds(6))
        #expect(consumer.ends.map(\.status) == [.internalError])
    }

    @Test("The namespace is announced once for all its tracks, until the last one ends", arguments: Variant.all)
    func announcing(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let session = harness.writing
        let announcements = Box<[IncomingPublishNamespace]>([])
        let withdrawals = Box(0)
        harness.subscriberHandler.onAnnouncement = { request in
            request.accept()
            request.onWithdrawn = { withdrawals.value = (withdrawals.value ?? 0) + 1 }
            announcements.value?.append(request)
        }
        let other = FullTrackName(namespace: Harness.track.namespace, name: "audio")
        let (first, second) = try await harness.run {
            (try await session.publish(Harness.track), try await session.publish(other))
        }
        #expect(announcements.value?.map(\.namespace) == [Harness.track.namespace])
        let twice = await #expect(throws: MoQError.self) {
            try await harness.run { _ = try await session.publish(other) }
        }
        #expect(twice?.code == .invalidState)
        try await harness.run { try await first.finish() }
        harness.run()
        #expect(withdrawals.value == 0)
        try await harness.run { try await second.finish() }
        harness.run()
        #expect(withdrawals.value == 1)
        harness.subscriberHandler.onAnnouncement = { $0.reject(.unauthorized, reason: "not you") }
        let refused = await #expect(throws: MoQError.self) {
            try await harness.run { _ = try await session.publish(other) }
        }
        #expect(refused?.requestError == .unauthorized)
        harness.subscriberHandler.onAnnouncement = { $0.accept() }
        let another = try await harness.run { try await session.publish(other) }
        try await harness.run { try await another.finish() }
    }

    @Test("Whoever asks how far the track is, is told", arguments: Variant.all)
    func status(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness)
        _ = try await harness.run { try await writer.sendDatagram([1], at: Location(group: 8, object: 2)) }
        let answer = Box<Result<RequestOk, MoQError>>()
        harness.subscriber.trackStatus(of: Harness.track) { answer.value = $0 }
        harness.run()
        #expect(try answer.value?.get().largestObject == Location(group: 8, object: 2))
    }

    @Test(
        "A task that waits for GOAWAY is told what it says, before and after it has come",
        arguments: DraftProfile.all
    )
    func goaway(profile: DraftProfile) async throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let session = harness.reading
        let task = Task.immediate { try await session.goaway() }
        harness.run()
        harness.publisher.sendGoaway(newSessionURI: "moqt://other.example/live", timeout: .seconds(3))
        let first = try await harness.wait(for: task)
        let again = try await harness.run { try await session.goaway() }
        harness.run()
        #expect(first.newSessionURI == "moqt://other.example/live")
        #expect(first.timeout == (profile == .draft18 ? .seconds(3) : nil))
        #expect(again == first)
        #expect(harness.subscriberHandler.goaways.map(\.uri) == ["moqt://other.example/live"])
    }

    @Test("Who waits for GOAWAY in a session that ends without hears of that", arguments: [true, false])
    func noGoaway(isCancelled: Bool) async throws {
        let harness = Harness.established(Variant.all[0])
        let session = harness.reading
        let task = Task.immediate { try await session.goaway() }
        harness.run()
        if isCancelled {
            task.cancel()
        } else {
            harness.publisher.close()
        }
        let error = await #expect(throws: MoQError.self) { try await harness.wait(for: task) }
        harness.run()
        #expect(error?.code == (isCancelled ? .cancelled : .sessionClosed))
    }

    @Test("When the session closes, everybody who waits hears of it")
    func sessionClosed() async throws {
        let harness = Harness.established(Variant.all[0])
        let writer = try await self.publish(harness)
        let task = Task.immediate { try await writer.waitForSubscriber() }
        harness.run()
        harness.subscriber.close()
        let error = await #expect(throws: MoQError.self) { try await harness.wait(for: task) }
        #expect(error?.code == .sessionClosed)
        let cancelled = await #expect(throws: MoQError.self) { try await harness.run { try await writer.finish() } }
        #expect(cancelled?.code == .sessionClosed)
        // The harness ends where its loop is, not where the closure above ran.
        harness.run()
    }

    @Test(
        "A task hears that a subscriber wants a new group, once for each that it begins",
        arguments: DraftProfile.all.filter(\.updatesAreAnswered),
        [true, false]
    )
    func groupRequest(profile: DraftProfile, isInSubscribe: Bool) async throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let session = harness.writing
        let pair = try #require(KeyValuePair(type: PropertyType.dynamicGroups, integer: 1))
        let properties = try PropertyList([pair], coding: profile.coding)
        let writer = try await harness.run {
            try await session.publish(Harness.track, announces: false, properties: properties)
        }
        try await harness.run {
            try await writer.beginGroup(4).write([1])
        }
        // The groups that were begun because somebody wanted them.
        let begun = Box(0)
        let task = Task.immediate {
            for group in 5..<7 as Range<UInt64> {
                try await writer.waitForGroupRequest()
                try await writer.beginGroup(group).finish()
                begun.value = (begun.value ?? 0) + 1
            }
        }
        let consumer = CollectingConsumer()
        let wanted = SubscriptionParameters(newGroupRequest: isInSubscribe ? 5 : 4)
        let subscription = self.subscribe(harness, consumer, wanted)
        func settle(until isSettled: () -> Bool = { false }, turns: Int = 20) async {
            for _ in 0..<turns where !isSettled() {
                await Task.yield()
                // Last, since the main actor may have changed its thread: the loop goes along.
                harness.run(.milliseconds(1))
            }
        }
        if !isInSubscribe {
            await settle()
            #expect(begun.value == 0, "there is a group 4 already")
            subscription.update(newGroupRequest: 5)
        }
        await settle(until: { begun.value == 1 }, turns: 100_000)
        #expect(begun.value == 1)
        subscription.update(newGroupRequest: 5)
        await settle()
        #expect(begun.value == 1)
        subscription.update(newGroupRequest: 0)
        try await harness.wait(for: task)
        #expect(begun.value == 2)
        try await harness.run { try await writer.finish() }
        harness.run()
    }
}
