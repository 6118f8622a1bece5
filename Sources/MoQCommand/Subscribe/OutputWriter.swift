// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation
internal import PacketLoop
internal import WebTransport

/// Writes on a thread of its own what the loop hands over in batches, so that a slow disk or reader never holds up the
/// network.
///
/// The queue is bounded by its user: ``submit(_:)`` says how much waits, the user stops the source above
/// ``highWatermark``, and `didDrain` tells when to let it run again.
final class OutputWriter: Sendable {
    /// Above this many waiting bytes the source is to pause.
    static let highWatermark = 4 << 20
    /// At this many or fewer it may go on.
    static let lowWatermark = 1 << 20

    private enum End {
        case commit(Outcome<Void>)
        case abandon(Outcome<Void>)
    }

    private struct State {
        var waiting: [Bytes] = []
        var waitingByteCount = 0
        var wasAboveHighWatermark = false
        var end: End?
        var failure: CommandFailure?
    }

    private let file: OutputFile
    private let state = Locked(State())
    private let work = DispatchSemaphore(value: 0)
    private let didDrain: @Sendable () -> Void
    private let didFail: @Sendable (CommandFailure) -> Void

    /// Opens the output and starts the thread. The closures are called on the thread; `didFail` at most once.
    /// - Throws: ``CommandFailure`` when the output cannot be opened.
    init(
        path: String,
        didDrain: @escaping @Sendable () -> Void,
        didFail: @escaping @Sendable (CommandFailure) -> Void
    ) throws {
        self.file = try OutputFile(path: path)
        self.didDrain = didDrain
        self.didFail = didFail
        let thread = Thread {
            self.run()
        }
        thread.name = "output"
        thread.start()
    }

    /// Queues bytes. Returns how many wait now; after a failure they are dropped and 0 is returned.
    func submit(_ batch: [Bytes]) -> Int {
        let count = batch.reduce(0) { $0 + $1.count }
        let waiting = self.state.withLock { state -> Int in
            guard state.failure == nil, state.end == nil else { return 0 }
            state.waiting.append(contentsOf: batch)
            state.waitingByteCount += count
            if state.waitingByteCount > Self.highWatermark {
                state.wasAboveHighWatermark = true
            }
            return state.waitingByteCount
        }
        self.work.signal()
        return waiting
    }

    /// Waits until everything is written and the file has its name. Called once.
    /// - Throws: ``CommandFailure`` when it could not be written.
    func finish() async throws {
        let outcome = Outcome<Void>()
        self.state.withLock { $0.end = .commit(outcome) }
        self.work.signal()
        try await outcome.value()
    }

    /// Drops what waits, closes the output and removes the incomplete file. Called instead of ``finish()``.
    func abandon() async {
        let outcome = Outcome<Void>()
        self.state.withLock { state in
            state.end = .abandon(outcome)
            state.waiting = []
        }
        self.work.signal()
        _ = try? await outcome.value()
    }

    private func run() {
        while true {
            self.work.wait()
            let batch = self.state.withLock { state in
                let batch = state.waiting
                state.waiting = []
                return batch
            }
            self.write(batch)
            let (end, failure) = self.state.withLock { state -> (End?, CommandFailure?) in
                (state.waiting.isEmpty ? state.end : nil, state.failure)
            }
            switch end {
            case nil:
                continue
            case .abandon(let outcome):
                self.file.abandon()
                outcome.succeed(())
                return
            case .commit(let outcome):
                self.commit(failure: failure, outcome: outcome)
                return
            }
        }
    }

    private func write(_ batch: [Bytes]) {
        guard !batch.isEmpty else { return }
        let count = batch.reduce(0) { $0 + $1.count }
        do throws(CommandFailure) {
            try self.file.write(batch)
        } catch {
            self.state.withLock { state in
                state.failure = error
                state.waiting = []
            }
            self.didFail(error)
        }
        let isDrained = self.state.withLock { state in
            state.waitingByteCount -= count
            guard state.wasAboveHighWatermark, state.waitingByteCount <= Self.lowWatermark else { return false }
            state.wasAboveHighWatermark = false
            return true
        }
        if isDrained {
            self.didDrain()
        }
    }

    private func commit(failure: CommandFailure?, outcome: Outcome<Void>) {
        if let failure {
            self.file.abandon()
            outcome.fail(failure)
            return
        }
        do throws(CommandFailure) {
            try self.file.commit()
            outcome.succeed(())
        } catch {
            outcome.fail(error)
        }
    }
}
