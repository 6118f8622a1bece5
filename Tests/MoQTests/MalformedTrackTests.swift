// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Malformed tracks", .timeLimit(.minutes(2)))
struct MalformedTrackTests {
    /// A session that is subscribed to a track of a raw peer.
    private struct Scene {
        let harness: RawHarness
        let consumer = CollectingConsumer()
        let subscription: Subscription
        let profile: DraftProfile

        init(_ profile: DraftProfile) throws {
            self.profile = profile
            let consumer = self.consumer
            self.harness = try RawHarness.established(profile, peer: .server)
            self.subscription = self.harness.session.subscribe(
                SubscribeRequest(track: Harness.track),
                consumer: consumer
            ) { consumer.responses.append($0) }
            self.harness.run()
            let ok = SubscribeOk(requestID: self.subscription.requestID, trackAlias: TrackAlias(1))
            try self.harness.peer.reply(.subscribeOk(ok))
            self.harness.run()
        }

        /// Sends objects of subgroup 0.
        @discardableResult
        func send(
            _ group: UInt64,
            _ objects: [ObjectHeader],
            byte: UInt8 = 1,
            endsGroup: Bool = false,
            finish: Bool = false
        ) throws -> SendStream {
            try self.send(group, 0, objects, byte: byte, endsGroup: endsGroup, finish: finish)
        }

        /// Sends objects on a stream, which is left open unless `finish`.
        @discardableResult
        func send(
            _ group: UInt64,
            _ subgroup: UInt64,
            _ objects: [ObjectHeader],
            byte: UInt8 = 1,
            priority: UInt8 = 128,
            endsGroup: Bool = false,
            finish: Bool = false
        ) throws -> SendStream {
            let header = SubgroupHeader(
                trackAlias: TrackAlias(1),
                groupID: group,
                subgroupID: .explicit(subgroup),
                publisherPriority: priority,
                hasProperties: true,
                containsEndOfGroup: endsGroup
            )
            var encoder = SubgroupStreamEncoder(profile: self.profile)
            var bytes: [UInt8] = []
            try encoder.encode(header, into: &bytes)
            for object in objects {
                try encoder.encode(object, into: &bytes)
                bytes += Array(repeating: byte, count: Int(object.payloadLength))
            }
            let stream = try self.harness.peer.send(uni: bytes, finish: finish)
            self.harness.run()
            return stream
        }

        func datagram(_ group: UInt64, _ object: UInt64, byte: UInt8 = 1, endsGroup: Bool = false) throws {
            let datagram = ObjectDatagram(
                trackAlias: TrackAlias(1),
                groupID: group,
                objectID: object,
                publisherPriority: 128,
                endsGroup: endsGroup
            )
            var bytes: [UInt8] = []
            try DatagramCodec(profile: self.profile).encode(datagram, into: &bytes)
            try self.harness.peer.transport.sendDatagram(Bytes(bytes + [byte]))
            self.harness.run()
        }

        /// An object with a payload of one byte and these properties, of which bytes are those of IMMUTABLE.
        func object(
            _ id: UInt64,
            _ properties: [(UInt64, UInt64)] = [],
            immutable: [[UInt8]] = []
        ) throws -> ObjectHeader {
            var pairs = try properties.map { try #require(KeyValuePair(type: $0.0, integer: $0.1)) }
            pairs += try immutable.map { try #require(KeyValuePair(type: PropertyType.immutable, bytes: $0)) }
            let list = try PropertyList(pairs, coding: self.profile.coding)
            return ObjectHeader(objectID: id, properties: list, payloadLength: 1)
        }

        func status(_ status: ObjectStatus, _ id: UInt64) -> ObjectHeader {
            ObjectHeader(objectID: id, payloadLength: 0, status: status)
        }

        /// Whether the peer was told that nothing more is wanted, as its draft says it.
        var wasCancelled: Bool {
            guard self.profile.controlShape == .pairWithRequestStreams else {
                return self.harness.peer.messages.contains { message in
                    if case .unsubscribe(let message) = message {
                        message.requestID == self.subscription.requestID
                    } else {
                        false
                    }
                }
            }
            return self.harness.peer.resets == [StreamResetCode.malformedTrack.wireValue(in: self.profile)]
        }
    }

    /// What `sound` sends is taken, and what `offence` adds ends the track, and nothing else; of its objects only `taken`
    /// are handed on.
    private func expect(
        _ profile: DraftProfile,
        taken: Int = 0,
        sound: (Scene) throws -> Void,
        offence: (Scene) throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let scene = try Scene(profile)
        try sound(scene)
        #expect(scene.consumer.ends.isEmpty, sourceLocation: sourceLocation)
        #expect(!scene.wasCancelled, sourceLocation: sourceLocation)
        let count = scene.consumer.contents.count
        try offence(scene)
        #expect(scene.consumer.ends.map(\.cause) == [.malformed], sourceLocation: sourceLocation)
        #expect(scene.consumer.ends.map(\.status) == [.malformedTrack], sourceLocation: sourceLocation)
        #expect(scene.consumer.ends.first?.reason.isEmpty == false, sourceLocation: sourceLocation)
        #expect(scene.consumer.subgroups.allSatisfy { $0.ends.count == 1 }, sourceLocation: sourceLocation)
        // Objects that break a rule go to nobody; whether a payload is right is known only when it came.
        let offending = scene.consumer.contents.dropFirst(count).filter { !$0.payload.isEmpty }
        #expect(offending.count == taken, sourceLocation: sourceLocation)
        #expect(scene.wasCancelled, sourceLocation: sourceLocation)
        #expect(scene.harness.session.isOpen, sourceLocation: sourceLocation)
        #expect(scene.harness.session.counters.malformedTracks == 1, sourceLocation: sourceLocation)
        #expect(scene.harness.session.counters.liveStreamsIn == 0, sourceLocation: sourceLocation)
        #expect(scene.harness.session.counters.liveSubscriptions == 0, sourceLocation: sourceLocation)
        #expect(scene.harness.session.counters.liveRequests == 0, sourceLocation: sourceLocation)
    }

    @Test("M1: an object that comes again with something else ends the track", arguments: DraftProfile.all)
    func duplicates(profile: DraftProfile) throws {
        try self.expect(profile) { scene in
            try scene.send(1, [scene.object(0), scene.object(1)])
            try scene.send(1, [scene.object(0), scene.object(1)])
        } offence: { scene in
            try scene.send(1, [scene.object(0)], byte: 2)
        }
        try self.expect(profile) { scene in
            try scene.send(1, 0, [scene.object(0), scene.object(2)])
            try scene.send(1, 1, [scene.object(1)])
        } offence: { scene in
            try scene.send(1, 2, [scene.object(2)])
        }
        try self.expect(profile) { scene in
            try scene.send(1, [scene.object(0)])
        } offence: { scene in
            try scene.datagram(1, 0)
        }
        try self.expect(profile) { scene in
            try scene.datagram(1, 0)
            try scene.datagram(1, 0)
        } offence: { scene in
            try scene.datagram(1, 0, byte: 2)
        }
    }

    @Test("M2: an object behind the last one of its subgroup, group or track ends it", arguments: DraftProfile.all)
    func behindTheEnd(profile: DraftProfile) throws {
        try self.expect(profile) { scene in
            try scene.send(1, [scene.object(0), scene.object(1)], finish: true)
            try scene.send(1, [scene.object(1)])
        } offence: { scene in
            try scene.send(1, [scene.object(2)])
        }
        try self.expect(profile) { scene in
            try scene.send(1, [scene.object(0), scene.status(.endOfGroup, 1)])
        } offence: { scene in
            try scene.send(1, 1, [scene.object(1)])
        }
        try self.expect(profile) { scene in
            try scene.send(1, [scene.object(1)], endsGroup: true, finish: true)
            try scene.send(1, 1, [scene.object(0)])
        } offence: { scene in
            try scene.send(1, 2, [scene.object(2)])
        }
        if profile != .draft14 {
            try self.expect(profile) { scene in
                try scene.datagram(1, 1, endsGroup: true)
                try scene.datagram(1, 0)
            } offence: { scene in
                try scene.datagram(1, 2)
            }
        }
        try self.expect(profile) { scene in
            try scene.send(2, [scene.status(.endOfTrack, 1)])
            try scene.send(2, 1, [scene.object(0)])
        } offence: { scene in
            try scene.send(3, [scene.object(0)])
        }
    }

    @Test("M3: a subgroup that ends twice, and differently, ends the track", arguments: DraftProfile.all)
    func twoEnds(profile: DraftProfile) throws {
        try self.expect(profile, taken: 1) { scene in
            for _ in 0..<2 {
                try scene.send(1, [scene.object(0), scene.object(1)], finish: true)
                try scene.send(1, [], finish: true)
            }
        } offence: { scene in
            // The object itself is the same as before.
            try scene.send(1, [scene.object(0)], finish: true)
        }
    }

    @Test("M4: a priority that changes within a subgroup ends the track", arguments: DraftProfile.all)
    func twoPriorities(profile: DraftProfile) throws {
        try self.expect(profile) { scene in
            try scene.send(1, 0, [scene.object(0)], priority: 5)
            try scene.send(1, 1, [scene.object(1)], priority: 6)
        } offence: { scene in
            try scene.send(1, 0, [scene.object(2)], priority: 6)
        }
    }

    @Test("M5: a gap that cannot be, or that something is in, ends the track", arguments: DraftProfile.all)
    func gaps(profile: DraftProfile) throws {
        let (groups, objects) = (PropertyType.priorGroupIDGap, PropertyType.priorObjectIDGap)
        try self.expect(profile) { scene in
            try scene.send(9, [scene.object(5, [(objects, 2), (groups, 9)])])
            try scene.send(9, 1, [scene.object(2)])
        } offence: { scene in
            try scene.send(9, 2, [scene.object(3)])
        }
        try self.expect(profile) { scene in
            try scene.send(9, [scene.object(3)])
        } offence: { scene in
            try scene.send(9, 1, [scene.object(5, [(objects, 2)])])
        }
        let impossible: [[(UInt64, UInt64)]] = [
            [(objects, 6)], [(groups, 10)], [(objects, 1), (objects, 1)], [(groups, 1), (groups, 1)],
        ]
        for properties in impossible {
            try self.expect(profile) { _ in
            } offence: { scene in
                try scene.send(9, [scene.object(5, properties)])
            }
        }
        try self.expect(profile) { scene in
            try scene.send(9, [scene.object(0, [(groups, 2)])])
        } offence: { scene in
            try scene.send(9, 1, [scene.object(1, [(groups, 3)])])
        }
        try self.expect(profile) { scene in
            try scene.send(9, [scene.object(0, [(groups, 2)])])
            try scene.send(6, [scene.object(0)])
        } offence: { scene in
            try scene.send(7, [scene.object(0)])
        }
        try self.expect(profile) { scene in
            try scene.send(7, [scene.object(0)])
        } offence: { scene in
            try scene.send(9, [scene.object(0, [(groups, 2)])])
        }
    }

    @Test("M6: IMMUTABLE that is nested, repeated or unreadable ends the track", arguments: DraftProfile.all)
    func immutable(profile: DraftProfile) throws {
        let pair = try #require(KeyValuePair(type: PropertyType.immutable, bytes: []))
        let nested = try PropertyList([pair], coding: profile.coding).bytes
        for values in [[nested], [[], []], [[0x0D, 5, 0]]] {
            try self.expect(profile) { scene in
                try scene.send(1, [scene.object(0, immutable: [[0x10, 1]])])
            } offence: { scene in
                try scene.send(1, 1, [scene.object(1, immutable: values)])
            }
        }
    }

    @Test("M7: a mandatory property of tracks on an object ends the track, from draft 18 on")
    func mandatory() throws {
        try self.expect(.draft18) { scene in
            try scene.send(1, [scene.object(0, [(0x3FFE, 1), (0x8000, 1)])])
        } offence: { scene in
            try scene.send(1, 1, [scene.object(1, [(0x4000, 1)])])
        }
        for profile in [DraftProfile.draft14, .draft16] {
            let scene = try Scene(profile)
            try scene.send(1, [scene.object(0, [(0x4000, 1)])])
            #expect(scene.consumer.contents.count == 1)
            #expect(scene.consumer.ends.isEmpty)
        }
    }

    @Test("M9: an object that was reported absent before is taken", arguments: DraftProfile.all)
    func absent(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.send(1, [scene.object(0), scene.object(3)], endsGroup: true, finish: true)
        try scene.send(1, 1, [], finish: true)
        try scene.send(5, [scene.object(0)])
        try scene.send(1, 2, [scene.object(1)])
        try scene.send(1, 1, [scene.object(2)])
        try scene.send(4, [scene.object(0)])
        #expect(scene.consumer.contents.count == 6)
        // A fetch says that nothing is there, and does not take back what came.
        let fetched = CollectingFetch()
        let receiver = scene.harness.session.fetch(
            FetchRequest(track: Harness.track, from: Location(group: 5, object: 0), through: .group(7)),
            consumer: fetched
        ) { fetched.responses.append($0) }
        scene.harness.run()
        let id = try #require(receiver.requestID)
        let ok = FetchOk(requestID: id, endOfTrack: false, end: .group(7))
        try scene.harness.peer.reply(.fetchOk(ok))
        let bytes = try scene.harness.peer.fetchStream(id) { encoder, bytes in
            try encoder.encode(.plain(7, 1, count: 1), into: &bytes)
            bytes += [1]
        }
        try scene.harness.peer.send(uni: bytes, finish: true)
        scene.harness.run()
        #expect(fetched.outcomes == [.complete])
        try scene.send(6, [scene.object(0)])
        try scene.send(7, [scene.object(0)])
        #expect(scene.consumer.contents.count == 8)
        #expect(scene.consumer.ends.isEmpty)
        #expect(scene.harness.session.counters.malformedTracks == 0)
    }

    @Test("A malformed fetch ends the subscription to its track, and the other way round", arguments: DraftProfile.all)
    func together(profile: DraftProfile) throws {
        for isFetch in [true, false] {
            let scene = try Scene(profile)
            let fetched = CollectingFetch()
            let receiver = scene.harness.session.fetch(
                FetchRequest(track: Harness.track, from: Location(group: 1, object: 0), through: .group(9)),
                consumer: fetched
            ) { fetched.responses.append($0) }
            scene.harness.run()
            let id = try #require(receiver.requestID)
            try scene.harness.peer.reply(.fetchOk(FetchOk(requestID: id, endOfTrack: false, end: .group(9))))
            let bytes = try scene.harness.peer.fetchStream(id) { encoder, bytes in
                var object = FetchObjectHeader.plain(1, 0, count: 1)
                try encoder.encode(object, into: &bytes)
                bytes += [1]
                guard isFetch else {
                    return
                }
                object.location.object = 1
                object.publisherPriority = 3
                try encoder.encode(object, into: &bytes)
                bytes += [1]
            }
            try scene.harness.peer.send(uni: bytes)
            scene.harness.run()
            if !isFetch {
                #expect(fetched.outcomes.isEmpty)
                try scene.send(1, [scene.object(0, [(PropertyType.priorObjectIDGap, 3)])])
            }
            #expect(fetched.locations.count == 1)
            #expect(fetched.outcomes.map(\.resetCode) == [.malformedTrack])
            #expect(scene.consumer.ends.map(\.cause) == [.malformed])
            #expect(scene.harness.session.counters.malformedTracks == 2)
            #expect(scene.harness.session.counters.liveRequests == 0)
            #expect(scene.harness.session.counters.liveStreamsIn == 0)
            #expect(scene.harness.session.isOpen)
        }
    }

    @Test("A malformed fetch fails a subscription to its track that is not answered yet", arguments: DraftProfile.all)
    func unanswered(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .server)
        let fetched = CollectingFetch()
        let receiver = harness.session.fetch(
            FetchRequest(track: Harness.track, from: Location(group: 1, object: 0), through: .group(9)),
            consumer: fetched
        ) { fetched.responses.append($0) }
        harness.run()
        let id = try #require(receiver.requestID)
        try harness.peer.reply(.fetchOk(FetchOk(requestID: id, endOfTrack: false, end: .group(9))))
        let consumer = CollectingConsumer()
        let subscription = harness.session.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        let bytes = try harness.peer.fetchStream(id) { encoder, bytes in
            var object = FetchObjectHeader.plain(1, 0, count: 1)
            try encoder.encode(object, into: &bytes)
            bytes += [1]
            object.location.object = 1
            object.publisherPriority = 3
            try encoder.encode(object, into: &bytes)
            bytes += [1]
        }
        try harness.peer.send(uni: bytes)
        harness.run()
        #expect(fetched.outcomes.map(\.resetCode) == [.malformedTrack])
        #expect(consumer.responses.map { $0.failure?.code } == [.cancelledByPeer])
        #expect(consumer.ends.isEmpty, "only what was accepted ends")
        #expect(subscription.state == .ended)
        #expect(harness.session.counters.liveSubscriptions == 0)
        #expect(harness.session.counters.liveRequests == 0)
        #expect(harness.session.isOpen)
    }
}
