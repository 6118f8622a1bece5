// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// Standard output and standard error as the commands use them: whole lines, written at once, never buffered.
enum StandardStreams {
    /// Writes a line to standard output. Returns false when nobody can read it any more.
    @discardableResult
    static func say(_ line: String) -> Bool {
        self.write(line + "\n", to: STDOUT_FILENO)
    }

    /// Writes a line to standard error, behind the name of the program.
    static func complain(_ line: String) {
        self.write("moq: \(line)\n", to: STDERR_FILENO)
    }

    /// Writes text to standard error as it is.
    static func note(_ text: String) {
        self.write(text, to: STDERR_FILENO)
    }

    /// Whether a person looks at standard error.
    static var errorIsTerminal: Bool {
        isatty(STDERR_FILENO) == 1
    }

    @discardableResult
    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let result = unsafe bytes[written...].withUnsafeBytes { buffer in
                unsafe Foundation.write(descriptor, buffer.baseAddress, buffer.count)
            }
            if result > 0 {
                written += result
            } else if result < 0, errno == EINTR || errno == EAGAIN {
                continue
            } else {
                return false
            }
        }
        return true
    }

    /// What the operating system says about an error number.
    static func explain(_ number: Int32) -> String {
        unsafe String(cString: strerror(number)).lowercased()
    }
}
