// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import PacketLoop
import WebTransport

/// What the loop has received and a task has not taken yet. Callable from any thread; one task takes at a time.
///
/// The bound is a weight: as soon as what waits weighs `capacity` or more, the buffer is full until at most half of that
/// is left. Whoever fills it is told, and has to stop its source; what comes nevertheless is taken, so what a source can
/// still deliver after it was stopped has to be little.
final class ElementBuffer<Element: Sendable>: Sendable {
    private struct State {
        var queue: Deque<(element: Element, weight: Int)> = []
        var weight = 0
        var isFull = false
        var droppedCount: UInt64 = 0
        /// How it ends, after what is queued; a failure is told once.
        var end: Result<Void, MoQError>?
        var waiter: Waiter?
    }

    private enum Step: Sendable {
        case element(Element, makesRoom: Bool)
        case end(MoQError?)
        case wait
    }

    private let state = Locked(State())
    private let capacity: Int

    /// What an element weighs on top of its bytes, so that small ones are bounded too.
    static var overhead: Int { 128 }

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// Whether the source had better stop.
    var isFull: Bool {
        self.state.withLock { $0.isFull }
    }

    /// How many elements were left out because the buffer was full.
    var droppedCount: UInt64 {
        self.state.withLock { $0.droppedCount }
    }

    /// Adds an element with so many bytes.
    /// - Returns: whether the buffer is full now.
    @discardableResult
    func append(_ element: Element, byteCount: Int) -> Bool {
        let (waiter, isFull) = self.state.withLock { state in
            self.add(element, byteCount, to: &state)
        }
        waiter?.wake()
        return isFull
    }

    /// Adds an element unless the buffer is full; then it is left out and counted.
    func appendOrDrop(_ element: Element, byteCount: Int) {
        let waiter: Waiter? = self.state.withLock { state in
            guard !state.isFull else {
                state.droppedCount &+= 1
                return nil
            }
            return self.add(element, byteCount, to: &state).waiter
        }
        waiter?.wake()
    }

    /// An element was left out before it came here.
    func countDropped() {
        self.state.withLock { $0.droppedCount &+= 1 }
    }

    /// Nothing more will come. The first call counts.
    func finish(_ end: Result<Void, MoQError>) {
        let waiter: Waiter? = self.state.withLock { state in
            guard state.end == nil else {
                return nil
            }
            state.end = end
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.wake()
    }

    /// Takes the next element and waits for one if there is none; nil at the end.
    ///
    /// `makeRoom` is called when the source may go on. A task that is cancelled gets nothing more.
    /// - Throws: the failure that the buffer was finished with, once; `cancelled`; `invalidState` while another task waits.
    func next(makeRoom: () -> Void) async throws(MoQError) -> Element? {
        while true {
            guard !Task.isCancelled else {
                throw MoQError(code: .cancelled, message: "the task that read was cancelled")
            }
            switch self.take() {
            case .element(let element, let makesRoom):
                if makesRoom {
                    makeRoom()
                }
                return element
            case .end(let error):
                guard let error else {
                    return nil
                }
                throw error
            case .wait:
                try await self.wait()
            }
        }
    }

    private func add(_ element: Element, _ byteCount: Int, to state: inout State) -> (waiter: Waiter?, isFull: Bool) {
        guard state.end == nil else {
            return (nil, false)
        }
        let weight = byteCount + Self.overhead
        state.queue.append((element, weight))
        state.weight += weight
        if state.weight >= self.capacity {
            state.isFull = true
        }
        let waiter = state.waiter
        state.waiter = nil
        return (waiter, state.isFull)
    }

    private func take() -> Step {
        self.state.withLock { state in
            if let (element, weight) = state.queue.popFirst() {
                state.weight -= weight
                let makesRoom = state.isFull && state.weight <= self.capacity / 2
                if makesRoom {
                    state.isFull = false
                }
                return .element(element, makesRoom: makesRoom)
            }
            switch state.end {
            case nil:
                return .wait
            case .success:
                return .end(nil)
            case .failure(let error):
                state.end = .success(())
                return .end(error)
            }
        }
    }

    private func wait() async throws(MoQError) {
        let waiter = Waiter()
        let mayWait = self.state.withLock { state in
            guard state.waiter == nil else {
                return false
            }
            if state.queue.isEmpty, state.end == nil {
                state.waiter = waiter
            } else {
                waiter.wake()
            }
            return true
        }
        guard mayWait else {
            throw MoQError(code: .invalidState, message: "another task reads already")
        }
        await waiter.wait()
        self.state.withLock { state in
            if state.waiter === waiter {
                state.waiter = nil
            }
        }
    }
}
