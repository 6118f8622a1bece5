// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import WebTransport

/// Hands everything that arrives of one moq-test track to a verifier. (loop)
final class MoQTestReceiver {
    /// How it ended.
    enum End {
        /// The subscription.
        case track(TrackEnd)
        /// The fetch.
        case fetch(FetchOutcome)
    }

    /// What was seen.
    var verifier: MoQTestVerifier
    /// How many streams brought objects.
    private(set) var streamCount: UInt64 = 0
    /// How many datagrams came.
    private(set) var datagramCount: UInt64 = 0
    /// How many bytes of payload came.
    private(set) var byteCount: UInt64 = 0
    /// Grows with everything that comes.
    private(set) var activity: UInt64 = 0
    /// Called once, last.
    var ended: (End) -> Void = { _ in }

    private var payload: MoQTestPayload?

    /// Begins with nothing seen.
    init(_ verifier: MoQTestVerifier) {
        self.verifier = verifier
    }

    fileprivate func object(_ object: ObjectHeader, in subgroup: SubgroupDescription) -> MoQTestPayload {
        let location = Location(group: subgroup.group, object: object.objectID)
        self.activity &+= 1
        self.verifier.object(
            location,
            subgroup: subgroup.subgroup,
            status: object.status,
            properties: object.properties,
            payloadLength: object.payloadLength
        )
        return MoQTestPayload(of: location, missing: object.payloadLength)
    }

    fileprivate func receive(_ bytes: Bytes, into payload: inout MoQTestPayload) {
        self.activity &+= 1
        self.byteCount &+= UInt64(bytes.count)
        payload.missing -= min(payload.missing, UInt64(bytes.count))
        var rest = bytes
        var isRight = true
        while !rest.isEmpty {
            let part = rest.prefix(MoQTestContent.block.count)
            isRight = isRight && part == MoQTestContent.block.prefix(part.count)
            rest = rest.dropFirst(part.count)
        }
        if !isRight, !payload.isWrong {
            payload.isWrong = true
            self.verifier.payload(isRight: false, of: payload.location)
        }
    }

    fileprivate func subgroupEnded(_ subgroup: SubgroupDescription, last: MoQTestPayload?, reset: StreamResetCode?) {
        self.activity &+= 1
        if let reset {
            self.verifier.note("group \(subgroup.group) subgroup \(subgroup.subgroup) was reset: \(reset)")
        } else if let last, last.missing > 0 {
            self.verifier.note("group \(subgroup.group) object \(last.location.object) is cut short")
        } else if subgroup.containsEndOfGroup, let last {
            self.verifier.groupEnded(with: last.location)
        }
    }
}

/// The payload of an object that is arriving.
private struct MoQTestPayload {
    var location: Location
    var missing: UInt64
    var isWrong = false

    init(of location: Location, missing: UInt64) {
        self.location = location
        self.missing = missing
    }
}

extension MoQTestReceiver: TrackConsumer {
    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.activity &+= 1
        self.streamCount += 1
        return MoQTestSubgroupReceiver(self, subgroup)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.activity &+= 1
        self.datagramCount += 1
        let location = Location(group: datagram.groupID, object: datagram.objectID)
        self.verifier.object(
            location,
            subgroup: nil,
            status: datagram.status,
            properties: datagram.properties,
            payloadLength: UInt64(payload.count)
        )
        var state = MoQTestPayload(of: location, missing: UInt64(payload.count))
        self.receive(payload, into: &state)
        if datagram.endsGroup {
            self.verifier.groupEnded(with: location)
        }
    }

    func trackEnded(_ end: TrackEnd) {
        let ended = self.ended
        self.ended = { _ in }
        ended(.track(end))
    }
}

extension MoQTestReceiver: FetchConsumer {
    func beginObject(_ object: FetchObjectHeader) {
        self.activity &+= 1
        self.verifier.object(
            object.location,
            subgroup: object.subgroupID,
            status: object.status,
            properties: object.properties,
            payloadLength: object.payloadLength
        )
        self.payload = MoQTestPayload(of: object.location, missing: object.payloadLength)
    }

    func receive(payload: Bytes) {
        guard var state = self.payload else { return }
        self.receive(payload, into: &state)
        self.payload = state
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        // What is left out and should not be is missing in the end.
        self.activity &+= 1
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        let ended = self.ended
        self.ended = { _ in }
        ended(.fetch(outcome))
    }
}

/// One stream of a moq-test track. (loop)
private final class MoQTestSubgroupReceiver: SubgroupConsumer {
    private let receiver: MoQTestReceiver
    private let subgroup: SubgroupDescription
    private var payload: MoQTestPayload?

    init(_ receiver: MoQTestReceiver, _ subgroup: SubgroupDescription) {
        self.receiver = receiver
        self.subgroup = subgroup
    }

    func beginObject(_ object: ObjectHeader) {
        let previous = self.payload?.location.object
        self.payload = self.receiver.object(object, in: self.subgroup)
        if let previous, object.objectID <= previous {
            self.receiver.verifier.note(
                "group \(self.subgroup.group) object \(object.objectID) comes after object \(previous) in its subgroup"
            )
        }
    }

    func receive(payload: Bytes) {
        guard var state = self.payload else { return }
        self.receiver.receive(payload, into: &state)
        self.payload = state
    }

    func finish() {
        self.receiver.subgroupEnded(self.subgroup, last: self.payload, reset: nil)
    }

    func reset(_ code: StreamResetCode) {
        self.receiver.subgroupEnded(self.subgroup, last: self.payload, reset: code)
    }
}
