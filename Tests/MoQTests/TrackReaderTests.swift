// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

@Suite("A subscription as a sequence", .timeLimit(.minutes(1)))
@MainActor
struct TrackReaderTests {
    /// Subscribes with a task; the other side accepts.
    private func subscribe(
        _ harness: Harness,
        buffering: Int = 1 << 20
    ) async throws -> (reader: TrackReader, publisher: TrackPublisher, delegate: RecordingDelegate) {
        let accepted = Box<TrackPublisher>()
        let delegate = RecordingDelegate()
        harness.publisherHandler.onSubscribe = { request in
            accepted.value = request.accept(largest: Location(group: 3, object: 1))
            accepted.value?.delegate = delegate
        }
        let session = harness.reading
        let reader = try await harness.run {
            try await session.subscribe(SubscribeRequest(track: Harness.track), buffering: buffering)
        }
        return (reader, try #require(accepted.value), delegate)
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

    @Test("It has every object whole, and ends with the track", arguments: Variant.all)
    func objects(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let (reader, publisher, _) = try await self.subscribe(harness)
        #expect(reader.track == Harness.track)
        #expect(reader.answer.largestObject == Location(group: 3, object: 1))
        let large = pattern(50_000)
        publisher.send(group: 4, subgroup: 2, [[1, 2], [], large])
        publisher.end()
        let objects = try await self.collect(reader, harness)
        #expect(objects.map(\.payload.array) == [[1, 2], [], large])
        #expect(objects.map(\.location) == (0..<3).map { Location(group: 4, object: $0) })
        #expect(objects.allSatisfy { $0.subgroup == 2 && $0.publisherPriority == 128 && $0.status == .normal })
        #expect(harness.subscriber.counters.liveSubscriptions == 0)
    }

    @Test("A task that does not read stops the publisher, and nothing is lost", arguments: Variant.all)
    func backpressure(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let (reader, publisher, _) = try await self.subscribe(harness, buffering: 20_000)
        let payloads = (0..<100).map { pattern(10_000, seed: UInt8($0)) }
        publisher.send(group: 4, payloads)
        publisher.end()
        harness.run(.seconds(2))
        #expect(reader.subscription.value.isPaused)
        #expect(harness.subscriber.counters.objectsReceived < 10)
        let objects = try await self.collect(reader, harness)
        #expect(objects.map(\.payload.array) == payloads)
    }

    @Test("Datagrams that find the buffer full are left out and counted")
    func datagrams() async throws {
        let harness = Harness.established(Variant.all[0])
        let (reader, publisher, _) = try await self.subscribe(harness, buffering: 2_000)
        for id in 0..<10 {
            let header = ObjectDatagram(trackAlias: TrackAlias(rawValue: 0), groupID: 4, objectID: UInt64(id))
            publisher.receive(header, payload: Bytes(pattern(700)))
        }
        harness.run()
        publisher.end()
        let objects = try await self.collect(reader, harness)
        #expect(objects.map(\.location.object) == [0, 1, 2])
        #expect(objects.allSatisfy { $0.subgroup == nil && $0.payload.array == pattern(700) })
        #expect(reader.droppedDatagramCount == 7)
    }

    @Test("Cancelling the task that reads ends the subscription", arguments: Variant.all)
    func cancellation(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let (reader, publisher, delegate) = try await self.subscribe(harness)
        let task = Task.immediate {
            for try await _ in reader {}
        }
        harness.run()
        #expect(reader.subscription.value.state == .active)
        task.cancel()
        await #expect(throws: MoQError.self) { try await harness.wait(for: task) }
        harness.run()
        #expect(reader.subscription.value.state == .ended)
        #expect(publisher.isEnded)
        #expect(delegate.ends == [.cancelledByPeer])
    }

    @Test("Letting the reader go ends the subscription")
    func letGo() async throws {
        let harness = Harness.established(Variant.all[0])
        var (reader, publisher, delegate): (TrackReader?, TrackPublisher, RecordingDelegate) =
            try await self.subscribe(harness)
        publisher.send(group: 4, [[1]])
        let first = try await harness.run { [reader] in
            for try await object in try #require(reader) {
                return object.payload.array
            }
            return []
        }
        #expect(first == [1])
        #expect(reader != nil)
        reader = nil
        harness.run()
        #expect(delegate.ends == [.cancelledByPeer])
    }

    @Test("What was not meant to end so throws")
    func failures() async throws {
        for (status, code) in [(PublishDoneStatus.internalError, MoQError.Code.endedEarly)] {
            let harness = Harness.established(Variant.all[0])
            let (reader, publisher, _) = try await self.subscribe(harness)
            publisher.send(group: 4, [[1]])
            publisher.end(status, reason: "a reason")
            let error = await #expect(throws: MoQError.self) { try await self.collect(reader, harness) }
            #expect(error?.code == code)
            #expect(error?.message.contains("a reason") == true)
            // A failure is told once; then it is over.
            #expect(try await self.collect(reader, harness).isEmpty)
        }
        let harness = Harness.established(Variant.all[0])
        let (reader, _, _) = try await self.subscribe(harness)
        harness.publisher.close()
        let error = await #expect(throws: MoQError.self) { try await self.collect(reader, harness) }
        #expect(error?.code == .sessionClosed)
        harness.run()
    }

    @Test("Subgroups come whole when they end, also those that were given up")
    func subgroups() async throws {
        let harness = Harness.established(Variant.all[0])
        let (reader, publisher, _) = try await self.subscribe(harness)
        publisher.send(group: 4, [[1], [2]])
        harness.run()
        let open = try #require(publisher.beginSubgroup(SubgroupDescription(group: 5)))
        open.send(0, [3])
        harness.run()
        open.reset(.cancelled)
        publisher.send(group: 6, [])
        publisher.end()
        let subgroups = try await harness.run {
            var subgroups: [TrackSubgroups.Element] = []
            for try await subgroup in reader.subgroups {
                subgroups.append(subgroup)
            }
            return subgroups.sorted { $0.description.group < $1.description.group }
        }
        #expect(subgroups.map(\.description.group) == [4, 5, 6])
        #expect(subgroups.map(\.isComplete) == [true, false, true])
        #expect(subgroups.map { $0.objects.map(\.payload.array) } == [[[1], [2]], [[3]], []])
    }

    @Test("A refusal is thrown, and a task that is cancelled takes its request back", arguments: Variant.all)
    func refusal(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let session = harness.reading
        harness.publisherHandler.onSubscribe = { $0.reject(.doesNotExist, reason: "no such track") }
        let error = await #expect(throws: MoQError.self) {
            try await harness.run { _ = try await session.subscribe(SubscribeRequest(track: Harness.track)) }
        }
        #expect(error?.requestError == .doesNotExist)
        harness.publisherHandler.onSubscribe = nil
        let task = Task.immediate { _ = try await session.subscribe(SubscribeRequest(track: Harness.track)) }
        harness.run()
        let request = try #require(harness.publisherHandler.subscribes.first)
        #expect(request.isPending)
        task.cancel()
        let cancelled = await #expect(throws: MoQError.self) { try await harness.wait(for: task) }
        #expect(cancelled?.code == .cancelled)
        harness.run()
        #expect(!request.isPending)
    }

    @Test("A fetch is a sequence too, with backpressure", arguments: Variant.all)
    func fetch(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let session = harness.reading
        let payloads = (0..<50).map { pattern(10_000, seed: UInt8($0)) }
        harness.publisherHandler.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 2, object: 49), isTrackComplete: true)
            for (id, payload) in payloads.enumerated() {
                publisher.beginObject(
                    FetchObjectHeader(
                        location: Location(group: 2, object: UInt64(id)),
                        subgroupID: 0,
                        publisherPriority: 7,
                        payloadLength: UInt64(payload.count)
                    )
                )
                publisher.receive(payload: Bytes(payload))
            }
            publisher.finish()
        }
        let request = FetchRequest(track: Harness.track, from: Location(group: 0, object: 0), through: .group(2))
        let reader = try await harness.run { try await session.fetch(request, buffering: 20_000) }
        harness.run(.seconds(1))
        #expect(reader.answer.end == .object(Location(group: 2, object: 49)))
        #expect(harness.subscriber.counters.objectsReceived < 10)
        let objects = try await harness.run {
            var objects: [TrackObject] = []
            for try await object in reader {
                objects.append(object)
            }
            return objects
        }
        #expect(objects.map(\.payload.array) == payloads)
        #expect(objects.allSatisfy { $0.publisherPriority == 7 && $0.subgroup == 0 && $0.location.group == 2 })
    }

    @Test("Namespaces appear and go", arguments: Variant.all)
    func namespaces(variant: Variant) async throws {
        let harness = Harness.established(variant)
        let session = harness.reading
        let feed = Box<IncomingSubscribeNamespace>()
        harness.publisherHandler.onFeed = { request in
            feed.value = request
            request.accept()
            request.publish(TrackNamespace(path: "a/b"))
        }
        let reader = try await harness.run { try await session.namespaces(under: TrackNamespace(path: "a")) }
        func next() async throws -> NamespaceEvent? {
            try await harness.run {
                for try await event in reader {
                    return event
                }
                return nil
            }
        }
        #expect(try await next() == .published(TrackNamespace(path: "a/b")))
        feed.value?.withdraw(TrackNamespace(path: "a/b"))
        #expect(try await next() == .withdrawn(TrackNamespace(path: "a/b")))
        harness.publisher.close()
        let error = await #expect(throws: MoQError.self) { _ = try await next() }
        #expect(error?.code == .sessionClosed)
        // The harness ends where its loop is, not where the closure above ran.
        harness.run()
    }
}
