// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The armed timers of one loop: a binary heap in which each timer knows its place, so that cancelling takes it out
/// (O(log n)) and a cancelled timer can never cause a wake-up. (loop)
final class TimerQueue {
    private var heap: [LoopTimer] = []
    private var nextSequence: UInt64 = 0
    private(set) var fired: UInt64 = 0
    private(set) var cancelled: UInt64 = 0

    /// Timers that were due in the batch being fired and have not had their turn.
    private var waitingInBatch = 0

    /// The number of timers that are going to fire.
    var count: Int { self.heap.count + self.waitingInBatch }

    /// The earliest deadline of an armed timer.
    var nextDeadline: LoopInstant? { self.heap.first?.deadline }

    func schedule(at deadline: LoopInstant, body: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(deadline: deadline, sequence: self.nextSequence, body: body)
        self.nextSequence &+= 1
        timer.queue = self
        timer.phase = .armed(index: self.heap.count)
        self.heap.append(timer)
        self.siftUp(from: self.heap.count - 1)
        return timer
    }

    func cancel(_ timer: LoopTimer) {
        switch timer.phase {
        case .armed(let index):
            self.remove(at: index)
        case .due:
            self.waitingInBatch -= 1
        case .spent:
            return
        }
        self.cancelled &+= 1
        self.retire(timer)
    }

    /// Fires what is due at `now`, in the order of the deadlines. Timers that the bodies schedule wait for the next
    /// call, whatever their deadline, so that a timer that re-arms itself cannot hold the loop.
    func fireDue(at now: LoopInstant) {
        guard let first = self.heap.first, first.deadline <= now else {
            return
        }
        var batch: [LoopTimer] = []
        while let next = self.heap.first, next.deadline <= now {
            self.remove(at: 0)
            next.phase = .due
            batch.append(next)
        }
        self.waitingInBatch += batch.count
        for timer in batch {
            guard case .due = timer.phase, let body = timer.body else {
                continue
            }
            self.waitingInBatch -= 1
            self.fired &+= 1
            self.retire(timer)
            body()
        }
    }

    /// Cancels every timer.
    func cancelAll() {
        let all = self.heap
        for timer in all {
            self.cancel(timer)
        }
    }

    private func retire(_ timer: LoopTimer) {
        timer.phase = .spent
        timer.body = nil
        timer.queue = nil
    }

    private func remove(at index: Int) {
        let last = self.heap.count - 1
        if index != last {
            self.swap(index, last)
        }
        self.heap.removeLast()
        if index != last {
            self.siftDown(from: index)
            self.siftUp(from: index)
        }
    }

    private func isEarlier(_ left: Int, _ right: Int) -> Bool {
        let a = self.heap[left]
        let b = self.heap[right]
        return a.deadline == b.deadline ? a.sequence < b.sequence : a.deadline < b.deadline
    }

    private func swap(_ left: Int, _ right: Int) {
        self.heap.swapAt(left, right)
        self.heap[left].phase = .armed(index: left)
        self.heap[right].phase = .armed(index: right)
    }

    private func siftUp(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard self.isEarlier(child, parent) else {
                return
            }
            self.swap(child, parent)
            child = parent
        }
    }

    private func siftDown(from start: Int) {
        var parent = start
        while true {
            let left = 2 * parent + 1
            guard left < self.heap.count else {
                return
            }
            let right = left + 1
            let smallest = right < self.heap.count && self.isEarlier(right, left) ? right : left
            guard self.isEarlier(smallest, parent) else {
                return
            }
            self.swap(smallest, parent)
            parent = smallest
        }
    }
}
