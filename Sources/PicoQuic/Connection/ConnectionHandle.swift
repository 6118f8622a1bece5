// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What the library keeps as the context of a connection: the number of a slot in the context's table, and the slot's
/// generation. Not a pointer: a handle that outlived its connection is recognised instead of followed.
///
/// The lowest bit is always set. A pointer to the context, which the library hands out before a connection has a
/// handle, never has it set.
struct ConnectionHandle: Hashable, Sendable {
    let index: Int
    let generation: UInt32

    init(index: Int, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// Reads a handle back from C; nil for anything that is none.
    init?(_ pointer: UnsafeMutableRawPointer?) {
        let bits = UInt(bitPattern: pointer)
        guard bits & 1 == 1 else {
            return nil
        }
        self.index = Int((bits >> 1) & 0x7fff_ffff)
        self.generation = UInt32(truncatingIfNeeded: bits >> 32)
    }

    /// The form in which C keeps it.
    var pointer: UnsafeMutableRawPointer? {
        let bits = UInt(self.generation) << 32 | UInt(self.index & 0x7fff_ffff) << 1 | 1
        return unsafe UnsafeMutableRawPointer(bitPattern: bits)
    }
}
