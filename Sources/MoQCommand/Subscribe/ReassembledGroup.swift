// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import WebTransport

/// What is known of one group that is not completely written yet. (loop)
final class ReassembledGroup {
    /// An object that cannot be written yet.
    final class HeldObject {
        /// What an object costs besides its payload, roughly.
        static let overhead = 128

        var parts: [Bytes] = []
        /// What it counts as: the payload so far and the overhead.
        var byteCount = HeldObject.overhead
        /// Whether all of it is here. When it is not, the intake that receives it is ``intake``.
        var isComplete = false
        /// Who receives the rest of it, so that the rest can go straight to the output when its turn comes.
        weak var intake: SubgroupIntake?
    }

    /// The group's id.
    let id: UInt64
    /// The object to be written next; nil while the group may begin anywhere.
    var nextObject: UInt64?
    /// Objects that came before their turn.
    var held: [UInt64: HeldObject] = [:]
    /// The streams that are being received.
    var openStreamCount = 0
    /// The intake whose object is being written as it arrives.
    weak var direct: SubgroupIntake?
    /// Whether the last object of the group is known: nothing can follow what is here or still arriving.
    var hasEnd = false

    /// Begins a group.
    init(id: UInt64, nextObject: UInt64?) {
        self.id = id
        self.nextObject = nextObject
    }

    /// Whether everything that was received of the group is written, and nothing of it is arriving.
    var isQuiet: Bool {
        self.openStreamCount == 0 && self.held.isEmpty && self.direct == nil
    }
}
