// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@Suite("A writer that keeps what it wrote", .timeLimit(.minutes(1)))
@MainActor
struct KeptTrackTests {
    private static let overhead = 128

    private func publish(_ harness: Harness, keeping kept: Int) async throws -> TrackWriter {
        let session = harness.writing
        return try await harness.run {
            try await session.publish(Harness.track, announces: false, keeping: kept)
        }
    }

    /// Writes groups of one-byte objects.
    private func write(_ writer: TrackWriter, _ groups: Range<UInt64>, of count: UInt8, _ harness: Harness) async throws
    {
        try await harness.run {
            for id in groups {
                let group = try await writer.beginGroup(id)
                try await group.write(contentsOf: (0..<count).map { [$0] })
                try await group.finish()
            }
        }
    }

    private func objects(_ groups: [UInt64], of ids: Range<UInt64>) -> [CollectingFetch.Event] {
        groups.flatMap { group in
            ids.map { .object(.plain(group, $0, count: 1), [UInt8($0)]) }
        }
    }

    private func fetch(
        _ harness: Harness,
        from start: Location = Location(group: 0, object: 0),
        through end: FetchEnd = .group(9),
        _ order: GroupOrder = .ascending
    ) -> CollectingFetch {
        let consumer = CollectingFetch()
        _ = harness.fetch(from: start, through: end, parameters: FetchParameters(groupOrder: order), consumer)
        harness.run()
        return consumer
    }

    @Test("A fetch is answered with what was written, in the order that it wants", arguments: Variant.all)
    func fetches(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness, keeping: 1 << 20)
        try await self.write(writer, 0..<4, of: 3, harness)
        let all = self.fetch(harness)
        #expect(try all.responses.first?.get().end == .object(Location(group: 3, object: 2)))
        #expect(all.events == self.objects([0, 1, 2, 3], of: 0..<3))
        #expect(all.outcomes == [.complete])
        let part = self.fetch(
            harness,
            from: Location(group: 1, object: 1),
            through: .object(Location(group: 2, object: 0))
        )
        #expect(part.events == self.objects([1], of: 1..<3) + self.objects([2], of: 0..<1))
        let backwards = self.fetch(harness, from: Location(group: 1, object: 0), through: .group(3), .descending)
        #expect(backwards.events == self.objects([3, 2, 1], of: 0..<3))
        let later = self.fetch(harness, from: Location(group: 4, object: 0))
        #expect(later.responses.map { $0.failure?.requestError } == [.invalidRange])
        #expect(harness.publisher.counters.liveFetchesServed == 0)
        try await harness.run { try await writer.finish() }
        harness.run()
    }

    @Test("Subgroups that are written side by side are fetched by the numbers of their objects", arguments: Variant.all)
    func subgroups(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness, keeping: 1 << 20)
        try await harness.run {
            let even = try await writer.beginSubgroup(SubgroupDescription(group: 5, subgroup: 0))
            let odd = try await writer.beginSubgroup(SubgroupDescription(group: 5, subgroup: 1))
            let earlier = try await writer.beginSubgroup(SubgroupDescription(group: 4, subgroup: 0))
            try await odd.write([1], id: 1)
            try await even.write([0], id: 0)
            try await earlier.write([9], id: 0)
            try await even.write([2], id: 2)
        }
        let consumer = self.fetch(harness)
        let payloads = consumer.events.map { event -> [UInt8]? in
            guard case .object(_, let payload) = event else { return nil }
            return payload
        }
        #expect(payloads == [[9], [0], [1], [2]])
        try await harness.run { try await writer.finish() }
        harness.run()
    }

    @Test(
        "What was forgotten is reported as unknown, or ends the fetch where the draft has no word for it",
        arguments: Variant.all
    )
    func forgotten(variant: Variant) async throws {
        let harness = Harness.established(variant)
        // Room for two groups of three objects.
        let writer = try await self.publish(harness, keeping: 6 * (Self.overhead + 1))
        try await self.write(writer, 0..<4, of: 3, harness)
        let kept = self.fetch(harness, from: Location(group: 2, object: 0))
        #expect(kept.events == self.objects([2, 3], of: 0..<3))
        #expect(kept.outcomes == [.complete])
        let all = self.fetch(harness)
        let backwards = self.fetch(harness, from: Location(group: 0, object: 1), .descending)
        guard variant.profile != .draft14 else {
            #expect(all.responses.map { $0.failure?.requestError } == [.unknownStatusInRange])
            #expect(backwards.responses.map { $0.failure?.requestError } == [.unknownStatusInRange])
            return
        }
        let largestID: UInt64 = 1 << 62 - 1
        #expect(
            all.events == [.gap(.unknown, Location(group: 1, object: largestID))] + self.objects([2, 3], of: 0..<3)
        )
        #expect(all.outcomes == [.complete])
        #expect(
            backwards.events
                == self.objects([3, 2], of: 0..<3) + [.gap(.unknown, Location(group: 0, object: largestID))]
        )
        // A group that is larger than everything that is kept loses its beginning.
        try await self.write(writer, 4..<5, of: 9, harness)
        let large = self.fetch(harness)
        #expect(large.events == [.gap(.unknown, Location(group: 4, object: 2))] + self.objects([4], of: 3..<9))
        let largeBackwards = self.fetch(harness, .descending)
        #expect(
            largeBackwards.events
                == [.gap(.unknown, Location(group: 4, object: 2))] + self.objects([4], of: 3..<9)
                + [.gap(.unknown, Location(group: 0, object: largestID))]
        )
        try await harness.run { try await writer.finish() }
        harness.run()
    }

    @Test(
        "A range without objects is answered with none, or NO_OBJECTS where the draft has that",
        arguments: Variant.all
    )
    func emptyRange(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness, keeping: 1 << 20)
        try await self.write(writer, 0..<1, of: 1, harness)
        try await self.write(writer, 5..<6, of: 1, harness)
        let consumer = self.fetch(harness, from: Location(group: 2, object: 0), through: .group(4))
        if variant.profile == .draft14 {
            #expect(consumer.responses.map { $0.failure?.requestError } == [.noObjects])
        } else {
            #expect(consumer.outcomes == [.complete])
        }
        #expect(consumer.events.isEmpty)
        try await harness.run { try await writer.finish() }
        harness.run()
    }

    @Test("Who fetches without reading is waited for, and the writer may go meanwhile", arguments: Variant.all)
    func slowFetch(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let consumer = CollectingFetch()
        let receiver: FetchReceiver
        do {
            let writer = try await self.publish(harness, keeping: 64 << 20)
            try await harness.run {
                let group = try await writer.beginGroup(0)
                for _ in 0..<80 {
                    try await group.write(Bytes(pattern(100_000)))
                }
                try await group.finish()
            }
            receiver = harness.fetch(through: .group(0), consumer)
            receiver.pause()
            harness.run(.seconds(1))
            #expect(harness.publisher.counters.objectsSent < 80)
            try await harness.run { try await writer.finish() }
        }
        harness.run()
        receiver.resume()
        harness.run(.seconds(2))
        #expect(consumer.events.count == 80)
        #expect(consumer.outcomes == [.complete])
    }

    @Test("Without anything kept, a FETCH goes to the handler", arguments: DraftProfile.all)
    func nothingKept(profile: DraftProfile) async throws {
        let harness = Harness.established(Variant(profile: profile, subscriber: .client))
        let writer = try await self.publish(harness, keeping: 0)
        _ = self.fetch(harness)
        #expect(harness.publisherHandler.fetches.count == 1)
        harness.publisherHandler.fetches = []
        try await harness.run { try await writer.finish() }
        harness.run()
    }

    @Test("Whoever joins late has everything from the past on, while the writer goes on", arguments: Variant.all)
    func joins(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let writer = try await self.publish(harness, keeping: 1 << 20)
        try await self.write(writer, 0..<6, of: 5, harness)
        let session = harness.reading
        let objects = try await harness.run {
            let group = try await writer.beginGroup(6)
            try await group.write([0])
            try await group.write([1])
            let reader = try await session.subscribe(SubscribeRequest(track: Harness.track), from: .groupsBack(2))
            async let written: Void = {
                for id in 2..<50 {
                    try await group.write([UInt8(id)])
                }
                try await group.finish()
                try await writer.finish()
            }()
            var objects: [TrackObject] = []
            for try await object in reader {
                objects.append(object)
            }
            try await written
            return objects
        }
        harness.run()
        let expected =
            (4..<6).flatMap { group in (0..<5).map { Location(group: group, object: $0) } }
            + (0..<50).map { Location(group: 6, object: $0) }
        #expect(objects.map(\.location) == expected)
        #expect(objects.map { UInt64($0.payload.array[0]) } == expected.map(\.object))
    }
}
