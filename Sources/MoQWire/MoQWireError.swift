// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why bytes could not be read, or a message not be written.
///
/// An error of a decoder is the peer's doing: ``code`` is the code to close the session with, unless ``kind`` says
/// otherwise. An error of an encoder is ours: nothing was written, and the session goes on.
public struct MoQWireError: Error, Hashable, Sendable {
    /// Whose mistake it was.
    public enum Kind: Hashable, Sendable {
        /// The peer sent what its draft forbids; the session must be closed with the code.
        case violation
        /// The caller wants to say something that the draft in use has no words for.
        case notExpressible
        /// Neither: the peer sent more than we are willing to hold. It is enough to stop reading the stream, with the
        /// stream reset code of an internal error; the session can go on.
        case limitExceeded
    }

    /// Whose mistake it was.
    public var kind: Kind
    /// The code to close the session with.
    public var code: SessionErrorCode
    /// What was wrong, for logs and for the reason phrase of the close.
    public var reason: String

    /// Makes an error of its parts.
    public init(kind: Kind = .violation, code: SessionErrorCode, reason: String) {
        self.kind = kind
        self.code = code
        self.reason = reason
    }

    /// The peer broke a rule that is answered with PROTOCOL_VIOLATION.
    static func violation(_ reason: StaticString) -> MoQWireError {
        MoQWireError(code: .protocolViolation, reason: "\(reason)")
    }

    /// The peer sent a value that does not have the form of its type: KEY_VALUE_FORMATTING_ERROR.
    static func malformedValue(_ reason: StaticString) -> MoQWireError {
        MoQWireError(code: .keyValueFormattingError, reason: "\(reason)")
    }

    /// The peer exceeded a limit of ours.
    static func limitExceeded(_ reason: StaticString) -> MoQWireError {
        MoQWireError(kind: .limitExceeded, code: .internalError, reason: "\(reason)")
    }

    /// The draft in use cannot say what the caller wants to say.
    static func notExpressible(_ reason: String) -> MoQWireError {
        MoQWireError(kind: .notExpressible, code: .internalError, reason: reason)
    }
}

extension MoQWireError {
    /// The same, with a reason that says what was read and how far.
    func located(in what: String, at offset: Int) -> MoQWireError {
        var error = self
        error.reason += " (\(what), byte \(offset))"
        return error
    }
}

extension MoQWireError: CustomStringConvertible {
    /// The code and the reason.
    public var description: String {
        "\(self.code): \(self.reason)"
    }
}
