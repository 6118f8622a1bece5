// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation
internal import Synchronization
internal import WebTransport

/// Where received bytes go: a file that appears under its name only when it is complete, or standard output.
///
/// A regular file is written under a temporary name beside it and renamed by ``commit()``, so that nobody ever finds
/// half a file. Devices and pipes are written as they are. Written by one thread at a time.
final class OutputFile: Sendable {
    /// How many runs one call of the system takes (IOV_MAX of Linux and macOS).
    private static let vectorLimit = 1_024

    private let descriptor: Int32
    private let name: String
    private let path: String
    private let temporaryPath: String?
    private let isClosed = Atomic<Bool>(false)

    /// Opens the output; `-` is standard output.
    /// - Throws: ``CommandFailure`` naming the file when it cannot be created.
    init(path: String) throws {
        self.path = path
        guard path != "-" else {
            self.descriptor = STDOUT_FILENO
            self.name = "standard output"
            self.temporaryPath = nil
            return
        }
        self.name = "--output '\(path)'"
        var information = stat()
        let exists = unsafe stat(path, &information) == 0
        if exists, information.st_mode & S_IFMT != S_IFREG {
            self.temporaryPath = nil
            self.descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        } else {
            let temporaryPath = "\(path).\(getpid()).part"
            self.temporaryPath = temporaryPath
            self.descriptor = unsafe open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        }
        guard self.descriptor >= 0 else {
            throw CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
        }
        if let temporaryPath = self.temporaryPath {
            SignalWatch.process.register(temporaryFile: temporaryPath)
        }
    }

    /// Writes runs of bytes one behind the other, many in one call of the system: received payloads are as small as
    /// packets.
    func write(_ batch: [Bytes]) throws(CommandFailure) {
        var vectors: [iovec] = unsafe []
        unsafe vectors.reserveCapacity(min(batch.count, Self.vectorLimit))
        var index = 0
        // How much of the run at `index` is written already.
        var offset = 0
        while index < batch.count {
            unsafe vectors.removeAll(keepingCapacity: true)
            for bytes in batch[index...].prefix(Self.vectorLimit) {
                // The pointers outlive the closure, but not `batch`, which keeps the memory.
                unsafe bytes.span.withUnsafeBytes { buffer in
                    unsafe vectors.append(
                        iovec(iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress), iov_len: buffer.count)
                    )
                }
            }
            if offset > 0 {
                unsafe vectors[0].iov_base += offset
                unsafe vectors[0].iov_len -= offset
            }
            var written = withExtendedLifetime(batch) {
                unsafe writev(self.descriptor, vectors, Int32(vectors.count))
            }
            guard written >= 0 else {
                if errno == EINTR { continue }
                throw CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
            }
            while index < batch.count, written >= batch[index].count - offset {
                written -= batch[index].count - offset
                offset = 0
                index += 1
            }
            offset += written
        }
    }

    /// Closes the output; the file gets its name. Afterwards the object is used up.
    func commit() throws(CommandFailure) {
        guard !self.isClosed.exchange(true, ordering: .relaxed) else { return }
        guard self.descriptor != STDOUT_FILENO else { return }
        guard close(self.descriptor) == 0 else {
            let failure = CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
            self.removeTemporaryFile()
            throw failure
        }
        guard let temporaryPath = self.temporaryPath else { return }
        guard unsafe rename(temporaryPath, self.path) == 0 else {
            let failure = CommandFailure("\(self.name): \(StandardStreams.explain(errno))")
            self.removeTemporaryFile()
            throw failure
        }
        SignalWatch.process.forget(temporaryFile: temporaryPath)
    }

    /// Closes the output and removes what was written, as far as it is a file of its own.
    func abandon() {
        guard !self.isClosed.exchange(true, ordering: .relaxed) else { return }
        if self.descriptor != STDOUT_FILENO {
            close(self.descriptor)
        }
        self.removeTemporaryFile()
    }

    private func removeTemporaryFile() {
        if let temporaryPath = self.temporaryPath {
            unsafe unlink(temporaryPath)
            SignalWatch.process.forget(temporaryFile: temporaryPath)
        }
    }
}
