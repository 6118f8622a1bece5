// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// Remembers everything that a subscription delivers.
final class RecordingConsumer: TrackConsumer {
    /// One object, as far as it arrived.
    struct Object: Equatable {
        var group: UInt64
        var subgroup: UInt64?
        var object: UInt64
        var priority: UInt8?
        var status = ObjectStatus.normal
        var properties = PropertyList()
        var payload: [UInt8] = []
        var isComplete = false

        var location: Location {
            Location(group: self.group, object: self.object)
        }
    }

    /// How a subgroup stream ended.
    enum StreamEnd: Equatable {
        case finished
        case reset(StreamResetCode)
    }

    private(set) var subgroups: [SubgroupDescription] = []
    fileprivate(set) var objects: [Object] = []
    fileprivate(set) var streamEnds: [StreamEnd] = []
    private(set) var ends: [TrackEnd] = []

    var locations: [Location] {
        self.objects.map(\.location)
    }

    /// Locations of the objects that arrived completely, in order.
    var completeLocations: [Location] {
        self.objects.filter(\.isComplete).map(\.location).sorted()
    }

    var byteCount: Int {
        self.objects.reduce(0) { $0 + $1.payload.count }
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.subgroups.append(subgroup)
        return RecordingSubgroup(subgroup, track: self)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.objects.append(
            Object(
                group: datagram.groupID,
                subgroup: nil,
                object: datagram.objectID,
                priority: datagram.publisherPriority,
                status: datagram.status,
                properties: datagram.properties,
                payload: payload.array,
                isComplete: true
            )
        )
    }

    func trackEnded(_ end: TrackEnd) {
        self.ends.append(end)
    }
}

/// The part of a ``RecordingConsumer`` that reads one stream.
private final class RecordingSubgroup: SubgroupConsumer {
    private let description: SubgroupDescription
    private let track: RecordingConsumer
    private var current = -1
    private var remaining: UInt64 = 0

    init(_ description: SubgroupDescription, track: RecordingConsumer) {
        self.description = description
        self.track = track
    }

    func beginObject(_ object: ObjectHeader) {
        self.current = self.track.objects.count
        self.remaining = object.payloadLength
        self.track.objects.append(
            RecordingConsumer.Object(
                group: self.description.group,
                subgroup: self.description.subgroup,
                object: object.objectID,
                priority: self.description.publisherPriority,
                status: object.status,
                properties: object.properties,
                isComplete: object.payloadLength == 0
            )
        )
    }

    func receive(payload: Bytes) {
        payload.append(to: &self.track.objects[self.current].payload)
        self.remaining -= UInt64(payload.count)
        self.track.objects[self.current].isComplete = self.remaining == 0
    }

    func finish() {
        self.track.streamEnds.append(.finished)
    }

    func reset(_ code: StreamResetCode) {
        self.track.streamEnds.append(.reset(code))
    }
}
