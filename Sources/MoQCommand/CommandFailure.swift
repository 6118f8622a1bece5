// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a command could not do its work: one line for standard error, and the status that the process exits with.
struct CommandFailure: Error, Hashable, CustomStringConvertible {
    /// The status for a command line that cannot be understood (`EX_USAGE` of sysexits.h).
    static let usageStatus: Int32 = 64

    /// What went wrong, naming the option, file, address or host that it is about. One line, without a full stop.
    var message: String
    /// The status that the process exits with.
    var exitStatus: Int32

    /// A failure with status 1, the status of everything that is not the command line's fault.
    init(_ message: String, exitStatus: Int32 = 1) {
        self.message = message.replacing(/[\r\n]+/, with: " ")
        self.exitStatus = exitStatus
    }

    /// A value on the command line that makes no sense.
    static func usage(_ message: String) -> CommandFailure {
        CommandFailure(message, exitStatus: usageStatus)
    }

    /// The end of a command that was interrupted by a signal: nothing is printed, the status follows the shells' habit.
    static func interrupted(by signal: Int32) -> CommandFailure {
        CommandFailure("", exitStatus: 128 &+ signal)
    }

    var description: String { self.message }
}
