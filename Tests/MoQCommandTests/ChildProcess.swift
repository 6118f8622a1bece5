// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import TestSupport

@testable import MoQCommand

/// The real `moq`, or another executable of the package, running as a process of its own.
///
/// Everything that waits is bounded: a process that does not do in time what is expected is killed, and the test fails.
final class ChildProcess: Sendable {
    /// What a process left behind.
    struct Ending: Sendable {
        var status: Int32
        var output: String
        var complaints: String
        var seconds: Double

        /// The lines on standard error.
        var complaintLines: [Substring] {
            self.complaints.split(separator: "\n")
        }
    }

    /// A process that did not do what it should.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private struct State {
        var output: [UInt8] = []
        var complaints: [UInt8] = []
        var openPipes = 2
        var isInputEnded = false
        var status: Int32?
        var watchers: [@Sendable () -> Void] = []
    }

    private let process: Process
    private let product: String
    private let arguments: [String]
    private let input = Pipe()
    private let state = Locked(State())
    private let began = ContinuousClock.now

    /// Starts `moq`, or another product, with these arguments. Its standard input stays open until ``endInput(_:)``,
    /// unless `input` is given. `environment` comes on top of ours.
    init(
        _ arguments: [String],
        product: String = "moq",
        input: Data? = nil,
        environment: [String: String] = [:]
    ) throws {
        self.product = product
        self.arguments = arguments
        self.process = Process()
        self.process.executableURL = URL(fileURLWithPath: try BuiltProduct.path(of: product))
        self.process.arguments = arguments
        if !environment.isEmpty {
            self.process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        let output = Pipe()
        let complaints = Pipe()
        self.process.standardInput = self.input
        self.process.standardOutput = output
        self.process.standardError = complaints
        self.process.terminationHandler = { [weak self] process in
            self?.change { $0.status = process.terminationStatus }
        }
        try self.process.run()
        self.collect(output) { state, bytes in state.output += bytes }
        self.collect(complaints) { state, bytes in state.complaints += bytes }
        if let input {
            self.endInput(input)
        }
    }

    deinit {
        if self.process.isRunning {
            kill(self.process.processIdentifier, SIGKILL)
        }
        // Foundation keeps a process and its pipes for ever, so whatever is not closed here stays open.
        if !self.state.withLock(\.isInputEnded) {
            try? self.input.fileHandleForWriting.close()
        }
    }

    /// The id of the process.
    var identifier: Int32 {
        self.process.processIdentifier
    }

    /// Writes to the process's standard input and closes it.
    func endInput(_ data: Data) {
        self.state.withLock { $0.isInputEnded = true }
        let handle = self.input.fileHandleForWriting
        let thread = Thread {
            try? handle.write(contentsOf: data)
            try? handle.close()
        }
        thread.start()
    }

    /// Writes to the process's standard input and leaves it open.
    func write(_ text: String) throws {
        try self.input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    /// Sends a signal.
    func send(_ signal: Int32) {
        kill(self.process.processIdentifier, signal)
    }

    /// Waits for a line on standard output that begins with `prefix`, and returns the rest of it.
    func outputLine(after prefix: String, within seconds: Double = 10) async throws -> String {
        try await self.wait(for: "a line '\(prefix)...'", within: seconds) { state in
            Self.line(after: prefix, in: state.output)
        }
    }

    /// Waits for a line on standard error that begins with `prefix`, and returns the rest of it. Lines that were
    /// returned before do not count when `skipping` of them are to be left out.
    func complaintLine(after prefix: String, skipping: Int = 0, within seconds: Double = 10) async throws -> String {
        try await self.wait(for: "a line '\(prefix)...' on standard error", within: seconds) { state in
            Self.line(after: prefix, in: state.complaints, skipping: skipping)
        }
    }

    /// How many lines on standard error have begun with `prefix` so far.
    func complaintLineCount(after prefix: String) -> Int {
        let text = String(decoding: self.state.withLock { $0.complaints }, as: UTF8.self)
        return text.split(separator: "\n").filter { $0.hasPrefix(prefix) }.count
    }

    /// Waits until this much came on standard output.
    func outputBytes(atLeast count: Int, within seconds: Double = 10) async throws -> [UInt8] {
        try await self.wait(for: "\(count) bytes of output", within: seconds) { state in
            state.output.count >= count ? state.output : nil
        }
    }

    /// Waits for the end of the process and returns everything it wrote.
    func ending(within seconds: Double = 20) async throws -> Ending {
        let began = self.began
        return try await self.wait(for: "its end", within: seconds) { state in
            guard let status = state.status, state.openPipes == 0 else { return nil }
            let elapsed = began.duration(to: .now)
            return Ending(
                status: status,
                output: String(decoding: state.output, as: UTF8.self),
                complaints: String(decoding: state.complaints, as: UTF8.self),
                seconds: Quantity.seconds(elapsed)
            )
        }
    }

    // MARK: - Waiting

    private func wait<Result: Sendable>(
        for what: String,
        within seconds: Double,
        _ condition: @escaping @Sendable (State) -> Result?
    ) async throws -> Result {
        let outcome = Outcome<Result>()
        let check: @Sendable () -> Void = { [weak self] in
            guard let self else { return }
            let (result, isOver) = self.state.withLock { state in
                (condition(state), state.status != nil && state.openPipes == 0)
            }
            if let result {
                outcome.succeed(result)
            } else if isOver {
                outcome.fail(CommandFailure(self.describe("ended without \(what)")))
            }
        }
        self.state.withLock { $0.watchers.append(check) }
        check()
        let pid = self.process.processIdentifier
        let seconds = seconds * TestBuild.patience
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [weak self] in
            guard let self else { return }
            if outcome.fail(CommandFailure(self.describe("did not come to \(what) within \(seconds) s"))) {
                kill(pid, SIGKILL)
            }
        }
        return try await outcome.value()
    }

    private func describe(_ problem: String) -> String {
        let (output, complaints) = self.state.withLock { ($0.output, $0.complaints) }
        return "\(self.product) \(self.arguments.joined(separator: " ")) \(problem); output: "
            + String(decoding: output.suffix(400), as: UTF8.self)
            + " errors: " + String(decoding: complaints.suffix(400), as: UTF8.self)
    }

    private func change(_ body: (inout State) -> Void) {
        let watchers = self.state.withLock { state in
            body(&state)
            return state.watchers
        }
        for watcher in watchers {
            watcher()
        }
    }

    private func collect(_ pipe: Pipe, _ store: @escaping @Sendable (inout State, [UInt8]) -> Void) {
        let handle = pipe.fileHandleForReading
        let thread = Thread { [weak self] in
            while true {
                let data = handle.availableData
                guard !data.isEmpty, let self else { break }
                self.change { store(&$0, [UInt8](data)) }
            }
            try? handle.close()
            self?.change { $0.openPipes -= 1 }
        }
        thread.start()
    }

    private static func line(after prefix: String, in bytes: [UInt8], skipping: Int = 0) -> String? {
        var skipped = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
            let text = String(decoding: line, as: UTF8.self)
            guard text.hasPrefix(prefix) else { continue }
            if skipped == skipping {
                return String(text.dropFirst(prefix.count))
            }
            skipped += 1
        }
        return nil
    }
}
