// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Small files with secrets: readable by their owner only, and replaced as a whole or not at all. (any thread)
enum PrivateFile {
    /// The bytes of a file; nil when it does not exist.
    /// - Parameter limit: no longer file is read.
    /// - Throws: `fileUnreadable` when it cannot be read, belongs to somebody else, is open to others, or is too long. Who
    ///   can write to it could let us trust a server of his, or read what we send.
    static func read(_ path: String, limit: Int) throws(QUICError) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno != ENOENT else {
                return nil
            }
            throw QUICError(.fileUnreadable, "cannot read '\(path)': \(systemErrorText(errno))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, (status.st_mode & S_IFMT) == S_IFREG else {
            throw QUICError(.fileUnreadable, "cannot use '\(path)': it is not a regular file")
        }
        guard status.st_uid == geteuid() else {
            throw QUICError(.fileUnreadable, "cannot use '\(path)': it belongs to another user")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw QUICError(.fileUnreadable, "cannot use '\(path)': it is open to other users (chmod 600 closes it)")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while true {
            let room = chunk.count
            let count = unsafe Self.read(descriptor, &chunk, room)
            guard count >= 0 else {
                throw QUICError(.fileUnreadable, "cannot read '\(path)': \(systemErrorText(errno))")
            }
            guard count > 0 else {
                return bytes
            }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw QUICError(.fileUnreadable, "cannot use '\(path)': it is longer than \(limit) bytes")
            }
        }
    }

    /// Writes a file, in place of one that may be there. Whoever reads sees the old one or the new one.
    /// - Throws: `fileUnreadable`, naming the file; then the old one is unchanged.
    static func replace(_ path: String, with bytes: [UInt8]) throws(QUICError) {
        let draft = try Self.draft(of: path, bytes)
        guard unsafe rename(draft, path) == 0 else {
            let problem = errno
            unsafe unlink(draft)
            throw QUICError(.fileUnreadable, "cannot write '\(path)': \(systemErrorText(problem))")
        }
    }

    /// Writes a file that is not there yet.
    /// - Returns: false when somebody else made it first, whose content stands.
    /// - Throws: `fileUnreadable`, naming the file.
    static func create(_ path: String, with bytes: [UInt8]) throws(QUICError) -> Bool {
        let draft = try Self.draft(of: path, bytes)
        defer { unsafe unlink(draft) }
        guard unsafe link(draft, path) == 0 else {
            guard errno != EEXIST else {
                return false
            }
            throw QUICError(.fileUnreadable, "cannot write '\(path)': \(systemErrorText(errno))")
        }
        return true
    }

    /// Writes the bytes to a file of its own beside the one that they are for.
    private static func draft(of path: String, _ bytes: [UInt8]) throws(QUICError) -> String {
        let draft = "\(path).\(getpid()).\(UInt64.random(in: 0 ... .max))"
        let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw QUICError(.fileUnreadable, "cannot write '\(path)': \(systemErrorText(errno))")
        }
        var offset = 0
        var problem: CInt = 0
        while offset < bytes.count, problem == 0 {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Self.write(descriptor, buffer.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if count > 0 {
                offset += count
            } else {
                problem = count < 0 ? errno : EIO
            }
        }
        if close(descriptor) != 0, problem == 0 {
            problem = errno
        }
        guard problem == 0 else {
            unsafe unlink(draft)
            throw QUICError(.fileUnreadable, "cannot write '\(path)': \(systemErrorText(problem))")
        }
        return draft
    }

    private static func read(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        while true {
            let result = unsafe systemRead(descriptor, buffer, count)
            if result >= 0 || errno != EINTR {
                return result
            }
        }
    }

    private static func write(_ descriptor: CInt, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
        while true {
            let result = unsafe systemWrite(descriptor, buffer, count)
            if result >= 0 || errno != EINTR {
                return result
            }
        }
    }
}

// The system calls, whose names the type's own functions hide.

private func systemRead(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, buffer, count)
}

private func systemWrite(_ descriptor: CInt, _ buffer: UnsafeRawPointer?, _ count: Int) -> Int {
    unsafe write(descriptor, buffer, count)
}
