// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A process that this one started, which takes ``ChildOrder``s and answers with ``ChildWord``s.
///
/// A thread of its own listens to it and takes note of its end, so that it never stays behind as a zombie. It is told of this
/// process's end by the end of its orders. A signal is sent only as long as the process has not been taken note of, so never
/// to another one that has got its number.
final class ChildProcess: Sendable {
    /// A process that could not be started.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// How a process ended.
    enum End: Sendable, Hashable {
        case exit(Int32)
        case signal(Int32)
    }

    /// What a process has told so far.
    struct Heard: Sendable {
        fileprivate(set) var words: [ChildWord] = []
        /// What it wrote to standard error.
        fileprivate(set) var complaints = ""
        fileprivate(set) var end: End?
        /// Whether it was killed because it did not answer.
        fileprivate(set) var isHung = false
    }

    private struct State {
        var heard = Heard()
        /// Looks for something and says whether that is done with. Called with the lock held.
        var watchers: [@Sendable (Heard) -> Bool] = []
        /// Where orders are written; nil when there are no more.
        var orders: CInt?
    }

    /// The most that is kept of what a process writes to standard error.
    private static let mostComplaints = 64 << 10
    /// How a child exits whose parent is gone.
    static let orphanStatus: Int32 = 3

    private let identifier: pid_t
    private let state: Locked<State>

    /// Starts a program.
    init(_ executable: String, _ arguments: [String]) throws(Failure) {
        var orders: (ours: CInt, theirs: CInt) = (-1, -1)
        var words = orders
        var complaints = orders
        defer {
            for theirs in [orders.theirs, words.theirs, complaints.theirs] where theirs >= 0 { close(theirs) }
        }
        do {
            orders = try Self.pair()
            words = try Self.pair()
            complaints = try Self.pair()
            self.identifier = try Self.spawn(
                executable,
                arguments,
                descriptors: [orders.theirs, words.theirs, complaints.theirs]
            )
        } catch {
            for ours in [orders.ours, words.ours, complaints.ours] where ours >= 0 { close(ours) }
            throw error
        }
        var state = State()
        state.orders = orders.ours
        self.state = Locked(state)
        let (wordsEnd, complaintsEnd) = (words.ours, complaints.ours)
        Thread { self.follow(wordsEnd, complaintsEnd) }.start()
    }

    /// Sockets rather than pipes: writing to a process that is gone must not raise a signal.
    private static func pair() throws(Failure) -> (ours: CInt, theirs: CInt) {
        var ends: [CInt] = [-1, -1]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw Failure(description: "no descriptors, error \(errno)")
        }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ executable: String,
        _ arguments: [String],
        descriptors: [CInt]
    ) throws(Failure) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(number))
        }
        // Whatever else is open here is none of its business, and would be open for longer than we believe.
        // (What is not open any more when it is to be closed does not matter.)
        for descriptor in ProcessVitals.openDescriptors where descriptor >= descriptors.count {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        // The threads of the runtime block signals, and a process inherits that from the thread that starts it.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let surroundings = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        let outcome = unsafe self.withTexts([executable] + arguments) { arguments in
            unsafe self.withTexts(surroundings) { surroundings in
                var identifier: pid_t = 0
                let error = unsafe posix_spawn(&identifier, executable, &actions, &attributes, arguments, surroundings)
                return (identifier, error)
            }
        }
        guard outcome.1 == 0 else {
            throw Failure(description: "cannot start '\(executable)', error \(outcome.1)")
        }
        return outcome.0
    }

    /// Lends texts as C wants them: a list of pointers with a null pointer at its end.
    private static func withTexts<R>(
        _ texts: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        let pointers = unsafe texts.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe body(pointers)
    }

    // MARK: - Telling

    /// Tells the process to do something. One that is gone does not hear it.
    func order(_ order: ChildOrder) {
        guard var line = try? JSONEncoder().encode(order) else { return }
        line.append(10)
        let bytes = [UInt8](line)
        self.state.withLock { state in
            guard let orders = state.orders else { return }
            var start = 0
            while start < bytes.count {
                let rest = Array(bytes[start...])
                let count = unsafe send(orders, rest, rest.count, CInt(MSG_NOSIGNAL))
                guard count > 0 else { return }
                start += count
            }
        }
    }

    /// Gives no more orders: for the process, its parent is gone.
    func abandon() {
        self.state.withLock { Self.endOrders(&$0) }
    }

    private static func endOrders(_ state: inout State) {
        if let orders = state.orders { close(orders) }
        state.orders = nil
    }

    /// Kills the process, if it is still there.
    func terminate() {
        self.state.withLock { state in
            if state.heard.end == nil { kill(self.identifier, SIGKILL) }
        }
    }

    // MARK: - Hearing

    /// What the process has told so far.
    var heard: Heard { self.state.withLock { $0.heard } }

    /// Waits for something that the process is to tell; nil when it ends without. If it does neither in time, it is killed.
    func wait<Result: Sendable>(
        within patience: Duration,
        for find: @escaping @Sendable (Heard) -> Result?
    ) async -> Result? {
        let watchdog = Task {
            try? await Task.sleep(for: patience)
            guard !Task.isCancelled else { return }
            self.state.withLock { state in
                guard state.heard.end == nil else { return }
                state.heard.isHung = true
                kill(self.identifier, SIGKILL)
            }
        }
        defer { watchdog.cancel() }
        return await withCheckedContinuation { continuation in
            self.watch { heard in
                let result = find(heard)
                guard result != nil || heard.end != nil else { return false }
                continuation.resume(returning: result)
                return true
            }
        }
    }

    /// Waits for the end of the process, and kills it if that does not come in time.
    func ending(within patience: Duration) async -> Heard {
        _ = await self.wait(within: patience) { $0.end }
        return self.heard
    }

    private func watch(_ watcher: @escaping @Sendable (Heard) -> Bool) {
        self.state.withLock { state in
            if !watcher(state.heard) { state.watchers.append(watcher) }
        }
    }

    private func note(_ change: (inout State) -> Void) {
        self.state.withLock { state in
            change(&state)
            let heard = state.heard
            state.watchers.removeAll { $0(heard) }
        }
    }

    // MARK: - The thread

    private func follow(_ words: CInt, _ complaints: CInt) {
        var open = [words, complaints]
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while !open.isEmpty {
            var waiting = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard unsafe poll(&waiting, nfds_t(waiting.count), -1) > 0 else { continue }
            for entry in waiting where entry.revents != 0 {
                let count = unsafe read(entry.fd, &buffer, buffer.count)
                guard count > 0 else {
                    open.removeAll { $0 == entry.fd }
                    continue
                }
                if entry.fd == words {
                    pending += buffer[0..<count]
                    self.takeLines(&pending)
                } else {
                    self.takeComplaint(String(decoding: buffer[0..<count], as: UTF8.self))
                }
            }
        }
        close(words)
        close(complaints)
        // It is going. As long as it is a zombie its number is nobody else's.
        var status: CInt = 0
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(self.identifier), &information, CInt(WEXITED | WNOWAIT)) != 0, errno == EINTR {}
        self.note { state in
            while unsafe waitpid(self.identifier, &status, 0) < 0, errno == EINTR {}
            Self.endOrders(&state)
            state.heard.end = status & 0x7f == 0 ? .exit(status >> 8 & 0xff) : .signal(status & 0x7f)
        }
    }

    private func takeLines(_ pending: inout [UInt8]) {
        while let end = pending.firstIndex(of: 10) {
            let line = Data(pending[0..<end])
            pending.removeFirst(end + 1)
            if let word = try? JSONDecoder().decode(ChildWord.self, from: line) {
                self.note { $0.heard.words.append(word) }
            } else {
                self.takeComplaint("not a word: \(String(decoding: line, as: UTF8.self))\n")
            }
        }
    }

    private func takeComplaint(_ text: String) {
        self.note { state in
            let room = Self.mostComplaints - state.heard.complaints.utf8.count
            if room > 0 { state.heard.complaints += text.prefix(room) }
        }
    }
}
