// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// Keeps everything that a subscription delivers.
final class CollectingConsumer: TrackConsumer {
    struct Object: Equatable {
        var header: ObjectHeader
        var payload: [UInt8] = []
        var parts = 0
    }

    enum End: Equatable {
        case finished
        case reset(StreamResetCode)
    }

    final class Subgroup: SubgroupConsumer {
        let description: SubgroupDescription
        var objects: [Object] = []
        var ends: [End] = []
        unowned let owner: CollectingConsumer

        init(_ description: SubgroupDescription, owner: CollectingConsumer) {
            self.description = description
            self.owner = owner
        }

        func beginObject(_ object: ObjectHeader) {
            self.objects.append(Object(header: object))
            self.owner.onObject?()
        }

        func receive(payload: Bytes) {
            guard !self.objects.isEmpty else {
                return
            }
            payload.append(to: &self.objects[self.objects.count - 1].payload)
            self.objects[self.objects.count - 1].parts += 1
            self.owner.onPayload?()
        }

        func finish() {
            self.ends.append(.finished)
            self.owner.onSubgroupEnd?()
        }

        func reset(_ code: StreamResetCode) {
            self.ends.append(.reset(code))
            self.owner.onSubgroupEnd?()
        }
    }

    var responses: [Result<SubscribeOk, MoQError>] = []
    var subgroups: [Subgroup] = []
    var datagrams: [(header: ObjectDatagram, payload: [UInt8])] = []
    var ends: [TrackEnd] = []
    var wants: (SubgroupDescription) -> Bool = { _ in true }
    var onSubgroup: (() -> Void)?
    var onObject: (() -> Void)?
    var onPayload: (() -> Void)?
    var onSubgroupEnd: (() -> Void)?
    var onDatagram: (() -> Void)?
    var onEnd: (() -> Void)?

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        guard self.wants(subgroup) else {
            return nil
        }
        let consumer = Subgroup(subgroup, owner: self)
        self.subgroups.append(consumer)
        self.onSubgroup?()
        return consumer
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.datagrams.append((datagram, payload.array))
        self.onDatagram?()
    }

    func trackEnded(_ end: TrackEnd) {
        self.ends.append(end)
        self.onEnd?()
    }

    /// Every object as (group, id, payload), in the order of the subgroups.
    var contents: [Content] {
        self.subgroups.flatMap { subgroup in
            subgroup.objects.map {
                Content(group: subgroup.description.group, id: $0.header.objectID, payload: $0.payload)
            }
        }
    }
}

/// One object of a track.
struct Content: Equatable {
    var group: UInt64
    var id: UInt64
    var payload: [UInt8]
}

extension TrackPublisher {
    /// Publishes a subgroup of whole objects.
    func send(group: UInt64, subgroup: UInt64 = 0, first: UInt64 = 0, _ payloads: [[UInt8]]) {
        let description = SubgroupDescription(group: group, subgroup: subgroup)
        guard let consumer = self.beginSubgroup(description) else {
            return
        }
        for (index, payload) in payloads.enumerated() {
            consumer.send(first + UInt64(index), payload)
        }
        consumer.finish()
    }
}

extension SubgroupConsumer {
    /// Publishes a whole object.
    func send(_ id: UInt64, _ payload: [UInt8]) {
        self.beginObject(ObjectHeader(objectID: id, payloadLength: UInt64(payload.count)))
        if !payload.isEmpty {
            self.receive(payload: Bytes(payload))
        }
    }
}

/// Bytes that differ from each other.
func pattern(_ count: Int, seed: UInt8 = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(seed)) }
}
