// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Synchronization

/// Where the other members of a ``PortGroup`` leave what is for this one.
final class PacketMailbox: Sendable {
    /// So many packets wait at most. What comes then is refused, as a socket does whose buffer is full.
    static let capacity = 4_096

    private struct State {
        var batches: [PacketBatch] = []
        var count = 0
        /// Nil as long as nobody takes what is delivered.
        var wake: (@Sendable () -> Void)?
    }

    private let state = Locked(State())
    private let hasMail = Atomic<Bool>(false)

    /// Takes deliveries from now on. `wake` is called, on the thread of another member, when the first one has come; it must
    /// neither wait nor call the mailbox.
    func open(wake: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.wake = wake }
    }

    /// Drops what is there and refuses what comes. When this returns nobody is inside the wake closure, and nobody will be.
    func close() {
        self.state.withLock { state in
            state = State()
            self.hasMail.store(false, ordering: .relaxed)
        }
    }

    /// Leaves packets here. Callable from any thread.
    /// - Returns: whether there was room for them.
    func deliver(_ batch: PacketBatch) -> Bool {
        self.state.withLock { state in
            guard let wake = state.wake, state.count + batch.packets.count <= Self.capacity else {
                return false
            }
            state.batches.append(batch)
            state.count += batch.packets.count
            if state.batches.count == 1 {
                self.hasMail.store(true, ordering: .releasing)
                wake()
            }
            return true
        }
    }

    /// Whether nothing is there. One atomic load; a delivery that is not seen yet is about to wake the thread.
    var isEmpty: Bool { !self.hasMail.load(ordering: .acquiring) }

    /// Takes out the oldest batches until they hold `limit` packets, or all.
    func take(upTo limit: Int) -> [PacketBatch] {
        guard !self.isEmpty else {
            return []
        }
        return self.state.withLock { state in
            var taken: [PacketBatch] = []
            var count = 0
            for batch in state.batches {
                guard count < limit else {
                    break
                }
                taken.append(batch)
                count += batch.packets.count
            }
            state.batches.removeFirst(taken.count)
            state.count -= count
            self.hasMail.store(!state.batches.isEmpty, ordering: .relaxed)
            return taken
        }
    }
}
