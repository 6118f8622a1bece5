// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import WebTransport

/// Receives one subgroup's objects for a ``TrackReassembler``. (loop)
final class SubgroupIntake: SubgroupConsumer {
    /// Where the bytes of the object go that began last.
    enum Target {
        /// There is no object, or it is not wanted: it came twice, or too late.
        case nowhere
        /// It is the object's turn: straight to the output.
        case output
        /// It is not its turn yet.
        case held(ReassembledGroup.HeldObject)
    }

    /// The group that the subgroup is part of.
    let group: ReassembledGroup
    /// Whether the stream ends with the last object of the group.
    let endsGroup: Bool
    /// Where the current object goes.
    var target = Target.nowhere
    /// The current object.
    var objectID: UInt64 = 0
    /// How many bytes the current object has.
    var objectLength: UInt64 = 0
    /// How much of the current object is still to come.
    var remaining: UInt64 = 0

    private let reassembler: TrackReassembler

    /// Made by ``TrackReassembler/open(group:endsGroup:)``.
    init(group: ReassembledGroup, endsGroup: Bool, reassembler: TrackReassembler) {
        self.group = group
        self.endsGroup = endsGroup
        self.reassembler = reassembler
    }

    func beginObject(_ object: ObjectHeader) {
        self.objectID = object.objectID
        self.objectLength = object.payloadLength
        self.remaining = object.payloadLength
        self.reassembler.begin(objectID: object.objectID, status: object.status, in: self)
        if self.remaining == 0 {
            self.reassembler.completed(self)
        }
    }

    func receive(payload: Bytes) {
        self.remaining = self.remaining >= UInt64(payload.count) ? self.remaining - UInt64(payload.count) : 0
        self.reassembler.receive(payload, from: self)
        if self.remaining == 0 {
            self.reassembler.completed(self)
        }
    }

    func finish() {
        self.reassembler.closed(self, isReset: false)
    }

    func reset(_ code: StreamResetCode) {
        self.reassembler.closed(self, isReset: true)
    }
}
