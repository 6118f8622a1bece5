// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import TestSupport
import Testing

@testable import MoQCommand

@Suite("What is kept on a loop", .timeLimit(.minutes(1)))
struct LoopCellTests {
    /// What is put away, which may take for ever.
    private final class Stage {
        var finish: (() -> Void)?
    }

    private func cell(on loop: PacketLoop) async throws -> LoopCell<Stage> {
        let cell = LoopCell<Stage>()
        try await loop.run { cell.set(Stage(), on: loop) }
        return cell
    }

    @Test("Putting it away takes until it says so")
    func finish() async throws {
        let thread = LoopThread()
        let cell = try await self.cell(on: thread.loop)
        let hasBegun = Outcome<Void>()
        let hasEnded = Locked(false)
        let end = Task {
            await cell.finish { stage, done in
                stage.finish = done
                hasBegun.succeed(())
            }
            hasEnded.withLock { $0 = true }
        }
        try await hasBegun.value()
        #expect(!hasEnded.withLock { $0 })
        let bound = try #require(cell.bound)
        thread.loop.post { bound.value.finish?() }
        await end.value
        thread.stop()
    }

    @Test("Who puts it away does not wait for a loop that ends meanwhile, or that has ended")
    func ended() async throws {
        let thread = LoopThread()
        let cell = try await self.cell(on: thread.loop)
        let hasBegun = Outcome<Void>()
        let end = Task {
            await cell.finish { _, _ in hasBegun.succeed(()) }
        }
        try await hasBegun.value()
        thread.stop()
        await end.value
        await cell.finish { _, _ in }
    }

    @Test("What was never set need not be put away")
    func empty() async {
        await LoopCell<Stage>().finish { _, _ in }
    }
}
