// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation
internal import Synchronization
internal import WebTransport

/// Reads a file or standard input in large blocks on a thread of its own, so that a slow disk or a quiet pipe never
/// holds up the network.
///
/// It reads only what was asked for: ``request()`` allows one more block. What was read is handed over once and not
/// kept.
final class InputReader: Sendable {
    /// What the reader delivers. After ``end`` and ``failure(_:)`` nothing more comes.
    enum Event: Sendable {
        /// The next block, never empty.
        case block(Bytes)
        /// The input is over.
        case end
        /// The input cannot be read any further.
        case failure(CommandFailure)
    }

    /// How many bytes are read at once.
    static let blockSize = 256 << 10

    /// The size of the input when it is a regular file.
    let size: UInt64?

    private let descriptor: Int32
    private let name: String
    private let fillsBlocks: Bool
    private let credits = DispatchSemaphore(value: 0)
    private let isStopped = Atomic<Bool>(false)

    /// Opens the input; `-` is standard input.
    ///
    /// With `fillsBlocks` a block is delivered when it is full, which suits bulk data; without, whatever arrives is
    /// delivered at once, which suits lines that somebody is waiting for.
    /// - Throws: ``CommandFailure`` naming the file when it cannot be opened.
    init(path: String, fillsBlocks: Bool) throws {
        self.fillsBlocks = fillsBlocks
        if path == "-" {
            self.descriptor = STDIN_FILENO
            self.name = "standard input"
        } else {
            self.descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
            self.name = "--input '\(path)'"
            guard self.descriptor >= 0 else {
                throw CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
            }
        }
        var information = stat()
        guard unsafe fstat(self.descriptor, &information) == 0 else {
            throw CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
        }
        let kind = information.st_mode & S_IFMT
        guard kind != S_IFDIR else {
            throw CommandFailure("\(self.name): \(StandardStreams.explain(EISDIR))")
        }
        self.size = kind == S_IFREG ? UInt64(max(0, information.st_size)) : nil
    }

    /// Starts the thread. `deliver` is called on it, once per request.
    func start(deliver: @escaping @Sendable (Event) -> Void) {
        let thread = Thread {
            while true {
                self.credits.wait()
                if self.isStopped.load(ordering: .relaxed) {
                    return
                }
                let event = self.read()
                deliver(event)
                guard case .block = event else { return }
            }
        }
        thread.name = "input"
        thread.start()
    }

    /// Allows one more block to be read.
    func request() {
        self.credits.signal()
    }

    /// Ends the thread when it is not in the middle of reading.
    func stop() {
        self.isStopped.store(true, ordering: .relaxed)
        self.credits.signal()
    }

    private func read() -> Event {
        var failure: CommandFailure?
        let block = Bytes(capacity: Self.blockSize) { output in
            unsafe output.withUnsafeMutableBytes { buffer, count in
                while count < buffer.count {
                    let result = unsafe Foundation.read(
                        self.descriptor,
                        buffer.baseAddress.map { unsafe $0 + count },
                        buffer.count - count
                    )
                    if result < 0 {
                        if errno == EINTR {
                            continue
                        }
                        failure = CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
                        return
                    }
                    count += result
                    if result == 0 || !self.fillsBlocks {
                        return
                    }
                }
            }
        }
        if let failure {
            return .failure(failure)
        }
        return block.isEmpty ? .end : .block(block)
    }
}
