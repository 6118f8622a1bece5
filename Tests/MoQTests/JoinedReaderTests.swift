// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@Suite("A track from its past on, as a sequence", .timeLimit(.minutes(1)))
@MainActor
struct JoinedReaderTests {
    /// A track of groups with so many objects each, that goes on while somebody joins it.
    @MainActor
    private final class Track {
        static let groupSize: UInt64 = 20
        let harness: Harness
        /// The largest object that was published.
        var largest: Location?
        var publisher: TrackPublisher?
        var fetches: [IncomingFetch] = []
        private var open: (any SubgroupConsumer)?

        init(_ harness: Harness, publishedBefore count: UInt64) {
            self.harness = harness
            if count > 0 {
                self.largest = Self.location(count - 1)
            }
            harness.publisherHandler.onSubscribe = { [unowned self] request in
                self.publisher = request.accept(largest: self.largest)
            }
            harness.publisherHandler.onFetch = { [unowned self] in
                self.fetches.append($0)
            }
        }

        static func location(_ index: UInt64) -> Location {
            Location(group: index / Self.groupSize, object: index % Self.groupSize)
        }

        static func payload(_ location: Location) -> [UInt8] {
            pattern(100, seed: UInt8(truncatingIfNeeded: location.group &* 7 &+ location.object))
        }

        /// Publishes so many objects, in the middle of a group if that is where the track is.
        func publish(_ count: UInt64) {
            for _ in 0..<count {
                let next =
                    self.largest.map {
                        Self.location($0.group * Self.groupSize + $0.object + 1)
                    } ?? Location(group: 0, object: 0)
                if next.object == 0 || self.open == nil {
                    self.open?.finish()
                    self.open = self.publisher?.beginSubgroup(
                        SubgroupDescription(
                            group: next.group,
                            containsEndOfGroup: true,
                            isFirstObject: next.object == 0
                        )
                    )
                }
                self.open?.send(next.object, Self.payload(next))
                self.largest = next
            }
        }

        func end() {
            self.open?.finish()
            self.open = nil
            self.publisher?.end()
        }

        /// Serves what was asked for, all of it.
        func serve() throws -> FetchPublisher {
            let fetch = try #require(self.fetches.last)
            let publisher = fetch.accept(largest: self.largest)
            guard case .object(let end) = fetch.end else {
                throw Missing(what: "a fetch that ends with an object")
            }
            var location = fetch.start
            while location <= end {
                let payload = Self.payload(location)
                publisher.beginObject(
                    FetchObjectHeader(
                        location: location,
                        subgroupID: 0,
                        publisherPriority: 128,
                        payloadLength: UInt64(payload.count)
                    )
                )
                publisher.receive(payload: Bytes(payload))
                location = Self.location(location.group * Self.groupSize + location.object + 1)
            }
            return publisher
        }
    }

    /// Asks for the track from there on. The answer comes when the past was accepted.
    private func subscribe(
        _ harness: Harness,
        _ start: JoiningStart,
        buffering: Int = 1 << 20
    ) -> Task<TrackReader, any Error> {
        let session = harness.reading
        return Task.immediate {
            try await session.subscribe(SubscribeRequest(track: Harness.track), from: start, buffering: buffering)
        }
    }

    private func collect(_ reader: TrackReader, _ harness: Harness) async throws -> [TrackObject] {
        try await harness.run {
            var objects: [TrackObject] = []
            for try await object in reader {
                objects.append(object)
            }
            return objects
        }
    }

    @Test(
        "A late joiner gets every object from the requested group on, once each, in order, while the track runs",
        arguments: Variant.all,
        [1 << 20, 4_000]
    )
    func seam(variant: Variant, buffering: Int) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 190)
        let task = self.subscribe(harness, .groupsBack(3), buffering: buffering)
        harness.run()
        // The subscription begins in the middle of group 9; before the past is accepted, and while it comes, the track goes on.
        track.publish(50)
        harness.run()
        let past = try track.serve()
        harness.run()
        track.publish(50)
        let reader = try await harness.wait(for: task)
        #expect(reader.answer.largestObject == Track.location(189))
        past.finish()
        track.publish(50)
        harness.run()
        let reading = Task.immediate {
            var objects: [TrackObject] = []
            for try await object in reader {
                objects.append(object)
            }
            return objects
        }
        harness.run()
        track.publish(45)
        track.end()
        let objects = try await harness.wait(for: reading)
        harness.run()
        let expected = (120..<385).map { Track.location($0) }
        let past190 = objects.prefix(70).map(\.location)
        #expect(past190 == Array(expected.prefix(70)), "the past comes first and in order")
        if buffering == 1 << 20 {
            #expect(objects.map(\.location) == expected)
        } else {
            // Streams that were stopped go on side by side, each in order.
            for group in 9...19 as ClosedRange<UInt64> {
                let locations = objects.map(\.location).filter { $0.group == group }
                #expect(locations == expected.filter { $0.group == group })
            }
            #expect(objects.count == expected.count)
        }
        #expect(objects.allSatisfy { $0.payload.array == Track.payload($0.location) })
        #expect(harness.subscriber.counters.liveFetches == 0)
        #expect(harness.subscriber.counters.liveSubscriptions == 0)
    }

    @Test("Who does not read stops both, the past and the present, and loses nothing", arguments: Variant.all)
    func backpressure(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 190)
        let task = self.subscribe(harness, .group(0), buffering: 2_000)
        harness.run()
        track.publish(100)
        let past = try track.serve()
        past.finish()
        let reader = try await harness.wait(for: task)
        harness.run(.seconds(1))
        #expect(reader.subscription.value.isPaused)
        // What is held is bounded: neither all of the past has come, nor all that was published since.
        #expect(harness.subscriber.counters.objectsReceived < 100)
        track.end()
        let objects = try await self.collect(reader, harness)
        harness.run()
        #expect(Array(objects.map(\.location).prefix(190)) == (0..<190).map { Track.location($0) })
        #expect(objects.map(\.location).sorted() == (0..<290).map { Track.location($0) })
    }

    @Test("With no past there is nothing to fetch", arguments: Variant.all)
    func nothingPublished(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 0)
        let reader = try await harness.wait(for: self.subscribe(harness, .groupsBack(2)))
        #expect(track.fetches.isEmpty)
        track.publish(30)
        track.end()
        let objects = try await self.collect(reader, harness)
        harness.run()
        #expect(objects.map(\.location) == (0..<30).map { Track.location($0) })
    }

    @Test("A group that lies in the future is waited for", arguments: Variant.all)
    func future(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 30)
        let reader = try await harness.wait(for: self.subscribe(harness, .group(3)))
        #expect(track.fetches.isEmpty)
        if !variant.profile.tracksHaveOneForwardingPreference {
            track.publisher?.receive(
                ObjectDatagram(trackAlias: TrackAlias(0), groupID: 2, objectID: 90, publisherPriority: 1),
                payload: Bytes([1])
            )
        }
        track.publish(50)
        track.end()
        let objects = try await self.collect(reader, harness)
        harness.run()
        #expect(objects.map(\.location) == (60..<80).map { Track.location($0) })
    }

    @Test("A past that is refused is told, and the subscription ends", arguments: Variant.all)
    func refused(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 30)
        let task = self.subscribe(harness, .groupsBack(1))
        harness.run()
        try #require(track.fetches.last).reject(.doesNotExist, reason: "gone")
        let error = await #expect(throws: MoQError.self) { try await harness.wait(for: task) }
        harness.run()
        #expect(error?.requestError == .doesNotExist)
        harness.run()
        #expect(harness.subscriber.counters.liveSubscriptions == 0)
        #expect(track.publisher?.isEnded == true)
    }

    @Test("A past that is given up ends the sequence and the subscription", arguments: Variant.all)
    func givenUp(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 30)
        let task = self.subscribe(harness, .groupsBack(1))
        harness.run()
        let past = try track.serve()
        let reader = try await harness.wait(for: task)
        past.reset(.internalError)
        let error = await #expect(throws: MoQError.self) { try await self.collect(reader, harness) }
        harness.run()
        #expect(error?.code == .endedEarly)
        #expect(harness.subscriber.counters.liveSubscriptions == 0)
        #expect(track.publisher?.isEnded == true)
    }

    @Test("Cancelling ends the past and the present, and so does the publisher", arguments: Variant.all, [true, false])
    func cancelled(variant: Variant, bySubscriber: Bool) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 30)
        let task = self.subscribe(harness, .groupsBack(1))
        harness.run()
        let past = try track.serve()
        let reader = try await harness.wait(for: task)
        if bySubscriber {
            reader.cancel()
        } else {
            track.publisher?.session.close(.internalError, reason: "over")
        }
        harness.run()
        #expect(past.isEnded)
        #expect(track.publisher?.isEnded == true)
        let error = await #expect(throws: MoQError.self) { try await self.collect(reader, harness) }
        harness.run()
        #expect(error?.code == (bySubscriber ? .cancelled : .sessionClosed))
        #expect(harness.subscriber.counters.liveRequests == 0)
    }

    @Test("A publisher that says nothing to the fetch and loses the session is told of", arguments: Variant.all)
    func lostBeforeAnswer(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let track = Track(harness, publishedBefore: 30)
        let task = self.subscribe(harness, .groupsBack(1))
        harness.run()
        harness.publisher.close(.internalError, reason: "over")
        let error = await #expect(throws: MoQError.self) { try await harness.wait(for: task) }
        harness.run()
        #expect(error?.code == .sessionClosed)
        #expect(track.publisher?.isEnded == true)
    }

    // MARK: Accepted offers

    @Test("An offer that is accepted is a sequence of its objects", arguments: Variant.all, [1 << 20, 2_000])
    func offer(variant: Variant, buffering: Int) async throws {
        let harness = Harness.established(variant)
        let accepted = Box<TrackReader>()
        harness.subscriberHandler.onPublish = { accepted.value = $0.accept(buffering: buffering) }
        let request = PublishRequest(track: Harness.track, largestObject: Location(group: 3, object: 1))
        let publisher = harness.publisher.publish(request) { _ in }
        harness.run()
        let reader = try #require(accepted.value)
        accepted.value = nil
        #expect(reader.track == Harness.track)
        #expect(reader.answer.largestObject == Location(group: 3, object: 1))
        let payloads = (0..<50).map { pattern(1_000, seed: UInt8($0)) }
        publisher.send(group: 4, payloads)
        publisher.end()
        harness.run()
        let objects = try await self.collect(reader, harness)
        harness.run()
        #expect(objects.map(\.payload.array) == payloads)
        #expect(objects.map(\.location) == (0..<50).map { Location(group: 4, object: $0) })
        #expect(harness.subscriber.counters.liveSubscriptions == 0)
    }

    @Test("An offer that is gone when it is accepted is a sequence that throws", arguments: Variant.all)
    func offerGone(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let publisher = harness.publisher.publish(PublishRequest(track: Harness.track)) { _ in }
        harness.run()
        let offer = try #require(harness.subscriberHandler.publishes.last)
        publisher.end()
        harness.run()
        #expect(!offer.isPending)
        let reader = offer.accept()
        let error = await #expect(throws: MoQError.self) { try await self.collect(reader, harness) }
        harness.run()
        #expect(error?.code == .cancelledByPeer)
    }
}
