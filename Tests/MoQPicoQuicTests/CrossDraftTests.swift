// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQRelay
import MoQWire
import PacketLoop
import PicoQuic
import Testing
import WebTransport

@Suite("One publisher, subscribers on every draft at once, over sockets", .tags(.network), .timeLimit(.minutes(1)))
struct CrossDraftTests {
    private static let track = FullTrackName(namespace: TrackNamespace(["live"]), name: "t")
    private static let groups: UInt64 = 4
    private static let objects: UInt64 = 25

    private static func payload(_ group: UInt64, _ object: UInt64) -> [UInt8] {
        (0..<Int(object * 97)).map { UInt8(truncatingIfNeeded: UInt64($0) &* 31 &+ object &* 7 &+ group) }
    }

    private static func publish(on publisher: TrackPublisher) {
        for group in 0..<Self.groups {
            let subgroup = publisher.beginSubgroup(SubgroupDescription(group: group, publisherPriority: 9))
            for object in 0..<Self.objects {
                let payload = Self.payload(group, object)
                subgroup?.beginObject(ObjectHeader(objectID: object, payloadLength: UInt64(payload.count)))
                if !payload.isEmpty {
                    subgroup?.receive(payload: Bytes(payload))
                }
            }
            subgroup?.finish()
        }
        publisher.end()
    }

    @Test("Everybody gets identical objects", arguments: DraftProfile.all)
    func identical(draft: DraftProfile) async throws {
        let stage = try await Stage(
            makeAcceptor: { loop in
                let relay = MoQRelay(loop: loop)
                return { transport, profile in relay.accept(transport, profile: profile) }
            }
        )
        let atPublisher = Journal()
        let publisher = try await stage.connect(drafts: [draft.version], journal: atPublisher)
        let held = try await publisher.withSession { session in
            let publisher = session.publish(PublishRequest(track: Self.track)) { answer in
                if case .success = answer {
                    atPublisher.note { $0.announcements += 1 }
                }
            }
            return LoopBound(publisher, on: session.loop)
        }
        await atPublisher.wait { $0.announcements == 1 }

        var viewers: [(client: MoQPicoQuicClient, objects: Collection)] = []
        for profile in DraftProfile.all {
            let collection = Collection()
            let client = try await stage.connect(drafts: [profile.version], journal: Journal())
            #expect(client.draft == profile.version)
            try await client.withSession { session in
                _ = session.subscribe(
                    SubscribeRequest(track: Self.track),
                    consumer: Collector(collection),
                    response: { answer in
                        if case .success = answer {
                            collection.journal.note { $0.subscribes += 1 }
                        }
                    }
                )
            }
            await collection.journal.wait { $0.subscribes == 1 }
            viewers.append((client, collection))
        }
        try await publisher.withSession { _ in Self.publish(on: held.value) }
        let expected = (0..<Self.groups).flatMap { group in
            (0..<Self.objects).map { object in
                Collection.Object(
                    location: Location(group: group, object: object),
                    priority: 9,
                    payload: Self.payload(group, object)
                )
            }
        }
        for viewer in viewers {
            await viewer.objects.journal.wait { $0.trackEnds == 1 }
            let objects = viewer.objects.objects.withLock { $0 }.sorted { $0.location < $1.location }
            #expect(objects == expected, "\(viewer.client.draft)")
            await viewer.client.close()
        }
        await publisher.close()
        await stage.server.stop()
    }
}

/// What a subscriber got, for any thread to read.
private final class Collection: Sendable {
    struct Object: Hashable {
        var location: Location
        var priority: UInt8
        var payload: [UInt8]
    }

    let objects = Locked<[Object]>([])
    let journal = Journal()
}

/// Collects the objects of a track, each under the name of its subgroup.
private final class Collector: TrackConsumer {
    private let collection: Collection

    init(_ collection: Collection) {
        self.collection = collection
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        Reader(subgroup, collection: self.collection)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {}

    func trackEnded(_ end: TrackEnd) {
        self.collection.journal.note { $0.trackEnds += 1 }
    }

    private final class Reader: SubgroupConsumer {
        private let description: SubgroupDescription
        private let collection: Collection
        private var current: Collection.Object?
        private var missing: UInt64 = 0

        init(_ description: SubgroupDescription, collection: Collection) {
            self.description = description
            self.collection = collection
        }

        func beginObject(_ object: ObjectHeader) {
            self.current = Collection.Object(
                location: Location(group: self.description.group, object: object.objectID),
                priority: self.description.publisherPriority,
                payload: []
            )
            self.missing = object.payloadLength
            self.settle()
        }

        func receive(payload: Bytes) {
            self.current?.payload += payload.array
            self.missing -= UInt64(payload.count)
            self.settle()
        }

        private func settle() {
            if self.missing == 0, let object = self.current {
                self.current = nil
                self.collection.objects.withLock { $0.append(object) }
            }
        }

        func finish() {}
        func reset(_ code: StreamResetCode) {}
    }
}
