// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation
internal import PacketLoop

/// Receives the signals of the process on the main thread, outside of any handler: anything may be called there.
///
/// The first SIGINT or SIGTERM asks the running command to end; a second one ends the process at once, whatever the
/// command is doing. Before a command has said how it ends, the first one ends the process too. SIGUSR1 asks for a line
/// of counters. SIGPIPE is ignored: who writes to a closed pipe gets an error instead.
final class SignalWatch: Sendable {
    /// The watch of this process.
    static let process = SignalWatch()

    private struct State {
        var stop: (@Sendable (Int32) -> Void)?
        var status: (@Sendable () -> Void)?
        var received: Int32?
        var temporaryFiles: Set<String> = []
    }

    private let state = Locked(State())

    /// Keeps the signals from the calling thread and from all threads that are started later. Called once, before there
    /// are other threads.
    func block() {
        signal(SIGPIPE, SIG_IGN)
        var signals = Self.signals
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Takes the signals, on the calling thread, for good.
    func watch() -> Never {
        var signals = Self.signals
        while true {
            var number: Int32 = 0
            guard unsafe sigwait(&signals, &number) == 0 else { continue }
            if number == SIGUSR1 {
                self.state.withLock { $0.status }?()
            } else {
                self.stop(number)
            }
        }
    }

    /// Says what ends the command. Called on the watching thread with the signal; at once when it has come already.
    func onStop(_ action: @escaping @Sendable (Int32) -> Void) {
        let early = self.state.withLock { state in
            state.stop = action
            return state.received
        }
        if let early {
            action(early)
        }
    }

    /// Says what SIGUSR1 does. Called on the watching thread.
    func onStatus(_ action: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.status = action }
    }

    /// Has a file removed when the process is ended in the middle of its work.
    func register(temporaryFile path: String) {
        self.state.withLock { _ = $0.temporaryFiles.insert(path) }
    }

    /// Forgets a file: it has its final name, or is gone.
    func forget(temporaryFile path: String) {
        self.state.withLock { _ = $0.temporaryFiles.remove(path) }
    }

    private static var signals: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGUSR1] {
            unsafe sigaddset(&signals, number)
        }
        return signals
    }

    private func stop(_ number: Int32) {
        let (isFirst, action, files) = self.state.withLock { state in
            let isFirst = state.received == nil
            state.received = state.received ?? number
            return (isFirst, state.stop, state.temporaryFiles)
        }
        if isFirst, let action {
            action(number)
            return
        }
        for file in files {
            unsafe unlink(file)
        }
        _exit(128 &+ number)
    }
}
