// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("One publisher, subscribers on every draft at once", .timeLimit(.minutes(2)))
struct CrossDraftTests {
    private struct Scene {
        let world = RelayWorld()
        let publisher: TestClient
        let subscribed: [Subscribed]
        let viewers: [TestClient]

        init(_ draft: DraftProfile, isPublished: Bool = false) throws {
            let world = self.world
            self.publisher = world.connect(draft)
            if isPublished {
                self.publisher.adopt(self.publisher.publish("live"))
            } else {
                _ = self.publisher.announce("live")
            }
            world.settle()
            self.viewers = DraftProfile.all.map { world.connect($0) }
            self.subscribed = self.viewers.map { $0.subscribe("live") }
            world.settle()
        }

        func track() throws -> TestTrack {
            try #require(self.publisher.tracks.first)
        }
    }

    private static func properties(_ value: UInt64) throws -> PropertyList {
        try PropertyList([
            try #require(KeyValuePair(type: 0x38, integer: value)),
            try #require(KeyValuePair(type: 0x39, bytes: [9, 8, 7])),
            try #require(KeyValuePair(type: 0x3C, integer: 0)),
        ])
    }

    @Test("Everybody gets identical objects", arguments: DraftProfile.all, [false, true])
    func identical(draft: DraftProfile, isPublished: Bool) throws {
        // A track of draft 14 has either, so one track with both would be malformed there.
        try self.identical(draft, isPublished: isPublished, inDatagrams: false)
        try self.identical(draft, isPublished: isPublished, inDatagrams: true)
    }

    private func identical(_ draft: DraftProfile, isPublished: Bool, inDatagrams: Bool) throws {
        let scene = try Scene(draft, isPublished: isPublished)
        let track = try scene.track()
        let groupCount: UInt64 = inDatagrams ? 0 : 3
        #expect(scene.subscribed.allSatisfy { $0.answer != nil })
        for group in 0..<groupCount {
            for subgroup in UInt64(0)..<2 {
                let stream = try #require(
                    track.open(
                        group: group,
                        subgroup: subgroup,
                        priority: UInt8(10 * group + subgroup),
                        hasProperties: subgroup == 1,
                        containsEndOfGroup: subgroup == 1
                    )
                )
                for object in UInt64(0)..<4 {
                    let properties = subgroup == 1 ? try Self.properties(object) : PropertyList()
                    stream.send(object: 2 * object + subgroup, size: Int(object) * 700, properties: properties)
                }
                if subgroup == 1 {
                    stream.beginObject(ObjectHeader(objectID: 8, payloadLength: 0, status: .endOfGroup))
                }
                stream.finish()
            }
        }
        for object in UInt64(0)..<(inDatagrams ? 3 : 0) {
            var datagram = ObjectDatagram(trackAlias: TrackAlias(0), groupID: 7, objectID: object)
            datagram.publisherPriority = 77
            datagram.properties = object == 1 ? try Self.properties(5) : PropertyList()
            datagram.endsGroup = object == 2
            track.publisher?.receive(datagram, payload: Bytes([1, 2, UInt8(object)]))
        }
        scene.world.settle()
        track.end()
        scene.world.settle()

        let first = try #require(scene.subscribed.first).consumer
        let streamCount = Int(groupCount) * 2
        #expect(first.objects.count == (inDatagrams ? 3 : 3 * 2 * 4 + 3))
        #expect(first.objects.filter(\.isComplete).count == first.objects.count)
        for one in scene.subscribed {
            #expect(try Self.comparable(one.consumer) == Self.comparable(first))
            #expect(one.consumer.streamEnds == Array(repeating: .finished, count: streamCount))
            #expect(one.consumer.ends.map(\.status) == [.trackEnded])
            #expect(one.consumer.ends.map(\.streamCount) == [UInt64(streamCount)])
            #expect(
                one.consumer.subgroups.map(\.containsEndOfGroup) == one.consumer.subgroups.map { $0.subgroup == 1 }
            )
        }
        scene.world.closeAll()
    }

    /// What is the same on every draft: properties are compared by their pairs, since they are written differently.
    private struct Comparable: Equatable {
        var location: Location
        var subgroup: UInt64?
        var priority: UInt8?
        var status: ObjectStatus
        var properties: [KeyValuePair]
        var payload: [UInt8]
    }

    private static func comparable(_ consumer: RecordingConsumer) throws -> [Comparable] {
        try consumer.objects.sorted { $0.location < $1.location }.map {
            Comparable(
                location: $0.location,
                subgroup: $0.subgroup,
                priority: $0.priority,
                status: $0.status,
                properties: try $0.properties.pairs(),
                payload: $0.payload
            )
        }
    }

    @Test("What a later draft leaves to the default of the track is said on draft 14", arguments: DraftProfile.all)
    func defaultPriority(draft: DraftProfile) throws {
        let world = RelayWorld()
        let publisher = world.connect(draft)
        publisher.properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.defaultPublisherPriority, integer: 50))
        ])
        _ = publisher.announce("live")
        world.settle()
        let subscribed = DraftProfile.all.map { world.connect($0).subscribe("live") }
        world.settle()
        let others = DraftProfile.all.map { world.connect($0).subscribe("live", "datagrams") }
        world.settle()
        let track = try #require(publisher.tracks.first)
        let description = SubgroupDescription(group: 0, publisherPriority: 50, hasExplicitPriority: false)
        let stream = try #require(track.publisher?.beginSubgroup(description))
        stream.send(object: 0, size: 10)
        stream.finish()
        try #require(publisher.tracks.last).publisher?.receive(
            ObjectDatagram(trackAlias: TrackAlias(0), groupID: 1, objectID: 0),
            payload: Bytes([1])
        )
        world.settle()
        for (index, profile) in DraftProfile.all.enumerated() {
            #expect(subscribed[index].consumer.subgroups.map(\.publisherPriority) == [50])
            #expect(subscribed[index].consumer.objects.map(\.priority) == [50])
            let isSaid = draft == .draft14 || profile == .draft14
            #expect(others[index].consumer.objects.map(\.priority) == [isSaid ? 50 : nil])
        }
        world.closeAll()
    }

    @Test("An object that is said not to exist, which only draft 14 can say, is left out elsewhere")
    func missing() throws {
        let scene = try Scene(.draft14)
        let track = try scene.track()
        let stream = try #require(track.open(group: 0, hasProperties: true))
        stream.send(object: 0, size: 10)
        stream.beginObject(ObjectHeader(objectID: 1, payloadLength: 0, status: .doesNotExist))
        stream.send(object: 2, size: 10)
        // Here draft 14 allows what the later ones forbid.
        stream.beginObject(
            ObjectHeader(objectID: 3, properties: try Self.properties(1), payloadLength: 0, status: .endOfGroup)
        )
        stream.finish()
        for status in [ObjectStatus.doesNotExist, .endOfTrack] {
            var datagram = ObjectDatagram(trackAlias: TrackAlias(0), groupID: 1, objectID: UInt64(status.rawValue))
            datagram.publisherPriority = 1
            datagram.status = status
            datagram.properties = status == .endOfTrack ? try Self.properties(2) : PropertyList()
            track.publisher?.receive(datagram, payload: Bytes([]))
        }
        scene.world.settle()
        for (one, profile) in zip(scene.subscribed, DraftProfile.all) {
            let isOld = profile == .draft14
            let objects = one.consumer.objects.sorted { $0.location < $1.location }
            #expect(
                objects.map(\.location.object) == (isOld ? [0, 1, 2, 3, 1, 4] : [0, 2, 3, 4]),
                "\(profile)"
            )
            #expect(one.consumer.objects.map(\.properties.isEmpty).filter { !$0 }.count == (isOld ? 2 : 0))
            #expect(one.consumer.streamEnds == [.finished])
        }
        scene.world.closeAll()
    }

    @Test(
        "Fetches on every draft bring identical objects, from memory and from the publisher",
        arguments: DraftProfile.all
    )
    func fetched(draft: DraftProfile) throws {
        let scene = try Scene(draft)
        let track = try scene.track()
        for group in UInt64(3)...4 {
            let stream = try #require(track.open(group: group, subgroup: 2, priority: 9, containsEndOfGroup: true))
            for object in UInt64(0)..<3 {
                stream.send(object: 3 * object, size: 40)
            }
            stream.finish()
        }
        scene.world.settle()
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 4, object: 6))
            for group in request.start.group...request.end.location.group where group < 3 {
                publisher.send(group, 1)
                publisher.send(group, 4)
            }
            publisher.finish()
        }
        let fetched = scene.viewers.map { $0.fetch("live", from: Location(group: 1, object: 0), through: .group(4)) }
        scene.world.settle()
        let first = try #require(fetched.first)
        #expect(first.locations.count == 2 * 2 + 2 * 3)
        for one in fetched {
            #expect(one.answer?.end == .object(Location(group: 4, object: 6)))
            #expect(one.events.filter { if case .gap = $0 { false } else { true } } == first.events)
            #expect(one.outcomes == [.complete])
        }
        scene.world.closeAll()
    }

    @Test("A fetch from a draft 14 publisher may bring statuses; what they say is known, and passed on without a word")
    func fetchedStatuses() throws {
        let world = RelayWorld()
        let publisher = world.connect(.draft14)
        _ = publisher.announce("films")
        world.settle()
        publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 3, object: 0))
            publisher.send(0, 0)
            for (location, status) in [
                (Location(group: 0, object: 1), ObjectStatus.doesNotExist),
                (Location(group: 0, object: 2), .endOfGroup),
            ] {
                var mark = FetchObjectHeader(
                    location: location,
                    subgroupID: 0,
                    publisherPriority: 128,
                    payloadLength: 0
                )
                mark.status = status
                publisher.beginObject(mark)
            }
            publisher.send(3, 0)
            publisher.finish()
        }
        let viewers = DraftProfile.all.map { world.connect($0) }
        for viewer in viewers {
            let fetched = viewer.fetch("films", through: .group(3))
            world.settle()
            #expect(fetched.locations == [Location(group: 0, object: 0), Location(group: 3, object: 0)])
            #expect(fetched.gaps.isEmpty)
            #expect(fetched.outcomes == [.complete])
        }
        // What the first one brought serves the others, but for how far the track is.
        let known = viewers[0].fetch("films", through: .object(Location(group: 0, object: 9)))
        world.settle()
        #expect(known.locations == [Location(group: 0, object: 0)])
        world.closeAll()
    }

    @Test("What is not known breaks a fetch on draft 14 off", arguments: DraftProfile.all)
    func unknown(draft: DraftProfile) throws {
        let scene = try Scene(draft)
        let track = try scene.track()
        track.send(group: 3, count: 2)
        track.send(group: 4, count: 1)
        scene.world.settle()
        let old = try #require(scene.viewers.last)
        #expect(old.session.profile == .draft14)
        let fetched = old.fetch("live", from: Location(group: 2, object: 5), through: .group(4))
        scene.world.settle()
        // Whether there is anything has to be known before the answer, and the publisher does not say.
        #expect(fetched.refusal == .notSupported)
        #expect(fetched.events.isEmpty)
        scene.world.closeAll()
    }

    @Test("Who joins on another draft gets what came before, once and without a gap", arguments: DraftPair.all)
    func joined(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("live")
        world.settle()
        let first = world.connect(drafts.subscriber).subscribe("live")
        world.settle()
        let track = try #require(publisher.tracks.first)
        for group in UInt64(0)..<3 {
            let stream = try #require(track.open(group: group, containsEndOfGroup: true))
            for object in UInt64(0)..<4 {
                stream.send(object: object, size: 20)
            }
            stream.finish()
        }
        let open = try #require(track.open(group: 3, containsEndOfGroup: true))
        open.send(object: 0, size: 20)
        open.send(object: 1, size: 20)
        world.settle()
        let client = world.connect(drafts.subscriber)
        let late = client.subscribe("live", filter: .nextObject)
        let past = Fetched()
        past.receiver = late.subscription?.fetch(from: .groupsBack(2), consumer: past) { past.results.append($0) }
        world.settle()
        open.send(object: 2, size: 20)
        open.finish()
        track.send(group: 4, count: 2)
        world.settle()
        #expect(past.outcomes == [.complete])
        let expected = first.consumer.completeLocations.filter { $0.group >= 1 }
        #expect(past.locations + late.consumer.completeLocations == expected)
        #expect(past.gaps.isEmpty)
        world.closeAll()
    }
}
