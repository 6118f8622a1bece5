// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
package import PacketLoop

/// A plain thread that drives a loop in real time: sleeps on a condition until work arrives or a timer is due.
package final class LoopThread: Sendable {
    /// The loop.
    package let loop: PacketLoop
    private let state: State

    private final class State: @unchecked Sendable {
        // Unchecked: `condition` guards the two flags.
        let condition = NSCondition()
        var isWoken = false
        var shouldStop = false
        var hasEnded = false
    }

    /// Starts the thread.
    package init(label: String = "test-loop") {
        let loop = PacketLoop(label: label)
        let state = State()
        self.loop = loop
        self.state = state
        loop.attach {
            state.condition.lock()
            state.isWoken = true
            state.condition.signal()
            state.condition.unlock()
        }
        Thread.detachNewThread {
            loop.begin()
            while true {
                loop.turn()
                let wait = loop.timeUntilNextTurn(from: loop.now)
                state.condition.lock()
                if state.shouldStop {
                    state.condition.unlock()
                    break
                }
                if !state.isWoken, wait != 0 {
                    let seconds = Double(wait ?? 3_600_000_000) / 1_000_000
                    _ = state.condition.wait(until: Date(timeIntervalSinceNow: seconds))
                }
                state.isWoken = false
                state.condition.unlock()
            }
            loop.end()
            state.condition.lock()
            state.hasEnded = true
            state.condition.broadcast()
            state.condition.unlock()
        }
    }

    /// Stops the thread and waits until the loop has ended.
    package func stop() {
        self.state.condition.lock()
        self.state.shouldStop = true
        self.state.isWoken = true
        self.state.condition.broadcast()
        while !self.state.hasEnded {
            self.state.condition.wait()
        }
        self.state.condition.unlock()
    }
}
