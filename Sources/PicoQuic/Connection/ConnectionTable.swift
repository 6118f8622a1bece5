// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The connections of one context, by slot. A slot that is given back gets a new generation, so that old handles to it
/// find nothing. (loop)
struct ConnectionTable {
    private struct Slot {
        var generation: UInt32 = 1
        var connection: QUICConnection?
    }

    private var slots: [Slot] = []
    private var free: [Int] = []

    /// How many connections there are.
    private(set) var count = 0

    /// How many there have ever been.
    private(set) var created: UInt64 = 0

    /// How many of them are gone.
    private(set) var ended: UInt64 = 0

    /// A slot for a connection that is about to be made, which ``fill(_:with:)`` puts there.
    mutating func reserve() -> ConnectionHandle {
        let index: Int
        if let reused = self.free.popLast() {
            index = reused
        } else {
            index = self.slots.count
            self.slots.append(Slot())
        }
        return ConnectionHandle(index: index, generation: self.slots[index].generation)
    }

    /// Gives a connection the slot that was reserved for it.
    mutating func fill(_ handle: ConnectionHandle, with connection: QUICConnection) {
        self.slots[handle.index].connection = connection
        self.count += 1
        self.created &+= 1
    }

    /// The connection that a handle stands for; nil when the handle is stale.
    func find(_ handle: ConnectionHandle) -> QUICConnection? {
        guard handle.index < self.slots.count else {
            return nil
        }
        let slot = self.slots[handle.index]
        return slot.generation == handle.generation ? slot.connection : nil
    }

    /// Whether a handle stands for a connection that was here and is gone.
    func knew(_ handle: ConnectionHandle) -> Bool {
        guard handle.index < self.slots.count else {
            return false
        }
        // Generations are counted up, and start again after four thousand million.
        let age = self.slots[handle.index].generation &- handle.generation
        return (1..<(1 << 31)).contains(age)
    }

    /// Gives a slot back. Has no effect for a stale handle.
    mutating func remove(_ handle: ConnectionHandle) {
        guard self.find(handle) != nil else {
            return
        }
        self.slots[handle.index].connection = nil
        self.slots[handle.index].generation &+= 1
        self.free.append(handle.index)
        self.count -= 1
        self.ended &+= 1
    }

    /// All connections.
    var all: [QUICConnection] {
        self.slots.compactMap(\.connection)
    }
}
