// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop

/// Runs the episodes in a process of their own, so that it can name the seed when that process traps or hangs.
struct Supervisor {
    private struct State {
        var episode: (seed: UInt64, text: String)?
        var lastSign = ContinuousClock.now
        var isHung = false
    }

    /// How long the worker may say nothing; an episode takes a second or two, and ten times that under a sanitizer.
    private static let patience = Duration.seconds(150)

    private let options: ChaosOptions

    init(_ options: ChaosOptions) {
        self.options = options
    }

    /// Runs the worker; returns the exit status.
    func run() -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = self.options.arguments + ["--worker", "--from", String(self.options.origin)]
        let pipe = Pipe()
        process.standardOutput = pipe
        let state = Locked(State())
        do {
            try process.run()
        } catch {
            ChaosOutput.line("chaos: cannot start the worker: \(error)")
            return 1
        }
        withExtendedLifetime(process) {
            self.follow(process, pipe.fileHandleForReading, state)
        }
        process.waitUntilExit()
        let wasSignalled = process.terminationReason == .uncaughtSignal
        let status = process.terminationStatus
        if status == 0, !wasSignalled { return 0 }
        let (episode, isHung) = state.withLock { ($0.episode, $0.isHung) }
        guard wasSignalled || status != 1 else { return 1 }
        let what = isHung ? "hangs" : wasSignalled ? "died of signal \(status)" : "ended with status \(status)"
        ChaosOutput.line(
            "chaos: FAILED: \(Invariant.process.rawValue): the worker \(what) in episode \(episode?.text ?? "none")"
        )
        if let episode { ChaosOutput.line("chaos: \(ChaosRun.replay(seed: episode.seed, kind: self.options.kind))") }
        return 1
    }

    /// Passes on what the worker prints, notes the episodes, and ends the worker when it says nothing for too long.
    private func follow(_ process: Process, _ output: FileHandle, _ state: borrowing Locked<State>) {
        let descriptor = output.fileDescriptor
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&waiting, 1, 1_000) == 0 {
                let silence = state.withLock { $0.lastSign.duration(to: .now) }
                if silence > Self.patience, !state.withLock({ $0.isHung }) {
                    state.withLock { $0.isHung = true }
                    kill(process.processIdentifier, SIGABRT)
                }
                continue
            }
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return }
            pending += buffer[0..<count]
            state.withLock { $0.lastSign = .now }
            while let end = pending.firstIndex(of: 10) {
                self.take(String(decoding: pending[0..<end], as: UTF8.self), state)
                pending.removeFirst(end + 1)
            }
        }
    }

    private func take(_ line: String, _ state: borrowing Locked<State>) {
        guard line.hasPrefix(ChaosRun.announcement) else {
            ChaosOutput.line(line)
            return
        }
        let text = String(line.dropFirst(ChaosRun.announcement.count))
        guard let seed = text.split(separator: " ").first.flatMap({ UInt64($0) }) else { return }
        state.withLock { $0.episode = (seed, text) }
    }
}
