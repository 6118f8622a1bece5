// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The armed timers of one loop: a heap in which each timer knows its place, so that cancelling takes it out (O(log n))
/// and a cancelled timer can never cause a wake-up. (loop)
final class TimerQueue {
    /// A place in the heap. What decides about the order is kept here, so that comparing touches no timer.
    private struct Place {
        var deadline: LoopInstant
        var sequence: UInt64
        var timer: LoopTimer

        func isBefore(_ other: Place) -> Bool {
            self.deadline == other.deadline ? self.sequence < other.sequence : self.deadline < other.deadline
        }
    }

    /// How many children a place has. More than two, because a move to another level, which writes to a timer somewhere
    /// in memory, costs more than to compare neighbours.
    private static let arity = 4

    private var heap: [Place] = []
    private var nextSequence: UInt64 = 0
    private(set) var fired: UInt64 = 0
    private(set) var cancelled: UInt64 = 0

    /// Timers that were due in the batch being fired and have not had their turn.
    private var waitingInBatch = 0

    /// The number of timers that are going to fire.
    var count: Int { self.heap.count + self.waitingInBatch }

    /// How many timers there is room for before more memory is needed.
    var capacity: Int { self.heap.capacity }

    /// The earliest deadline of an armed timer.
    var nextDeadline: LoopInstant? { self.heap.first?.deadline }

    func schedule(at deadline: LoopInstant, body: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(deadline: deadline, sequence: self.nextSequence, body: body)
        self.nextSequence &+= 1
        timer.queue = self
        let place = Place(deadline: deadline, sequence: timer.sequence, timer: timer)
        self.heap.append(place)
        self.rise(place, from: self.heap.count - 1)
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
            next.timer.phase = .due
            batch.append(next.timer)
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
        for place in all {
            self.cancel(place.timer)
        }
    }

    private func retire(_ timer: LoopTimer) {
        timer.phase = .spent
        timer.body = nil
        timer.queue = nil
    }

    private func remove(at index: Int) {
        let last = self.heap.removeLast()
        guard index < self.heap.count else {
            return
        }
        // The last one fills the gap, from where it goes one way or the other.
        if index > 0, last.isBefore(self.heap[(index - 1) / Self.arity]) {
            self.rise(last, from: index)
        } else {
            self.sink(last, from: index)
        }
    }

    private func put(_ place: Place, at index: Int) {
        place.timer.phase = .armed(index: index)
        self.heap[index] = place
    }

    /// Puts a place where it belongs, at `start` or above. What is at `start` is overwritten.
    private func rise(_ place: Place, from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / Self.arity
            let above = self.heap[parent]
            guard place.isBefore(above) else {
                break
            }
            self.put(above, at: index)
            index = parent
        }
        self.put(place, at: index)
    }

    /// Puts a place where it belongs, at `start` or below. What is at `start` is overwritten.
    private func sink(_ place: Place, from start: Int) {
        var index = start
        while true {
            let first = Self.arity * index + 1
            guard first < self.heap.count else {
                break
            }
            var smallest = first
            for child in (first + 1)..<max(first + 1, min(first + Self.arity, self.heap.count))
            where self.heap[child].isBefore(self.heap[smallest]) {
                smallest = child
            }
            guard self.heap[smallest].isBefore(place) else {
                break
            }
            self.put(self.heap[smallest], at: index)
            index = smallest
        }
        self.put(place, at: index)
    }
}
