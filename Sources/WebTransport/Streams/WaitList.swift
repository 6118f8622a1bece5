// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule

/// Those who wait for one thing, first come, first served. Confined to the loop.
///
/// Waking takes one at a time: who was woken looks whether there is something left, and if so wakes the next before it
/// goes on. So nobody is passed over, and what frees room for one does not wake thousands.
final class WaitList {
    /// Ordered by ticket.
    private var waiting: Deque<Waiter> = []

    /// Whether nobody waits.
    var isEmpty: Bool { self.waiting.isEmpty }

    /// Takes somebody in: at the end, or where it was when it has waited before.
    func add(_ waiter: Waiter) {
        self.waiting.insert(waiter, at: self.position(of: waiter.ticket))
    }

    /// Takes somebody out, if it is still there.
    func remove(_ waiter: Waiter) {
        let position = self.position(of: waiter.ticket)
        guard position < self.waiting.count, self.waiting[position] === waiter else { return }
        self.waiting.remove(at: position)
    }

    /// Wakes the first; those who were cancelled meanwhile do not count.
    func wakeFirst() {
        while let waiter = self.waiting.popFirst() {
            if waiter.wake() { return }
        }
    }

    /// Wakes everybody.
    func wakeAll() {
        let all = self.waiting
        self.waiting = []
        for waiter in all { waiter.wake() }
    }

    /// Where the first waiter is whose ticket is not lower.
    private func position(of ticket: UInt64) -> Int {
        var low = 0
        var high = self.waiting.count
        while low < high {
            let middle = low + (high - low) / 2
            if self.waiting[middle].ticket < ticket { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
