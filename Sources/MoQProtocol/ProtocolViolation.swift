// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The peer broke a rule of its draft: the session must be closed with this code.
public struct ProtocolViolation: Error, Hashable, Sendable {
    /// The code to close the session with.
    public var code: SessionErrorCode
    /// Which rule was broken, for the reason phrase of the close.
    public var reason: String

    /// Makes a violation of its parts.
    public init(_ code: SessionErrorCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// A rule that is answered with PROTOCOL_VIOLATION.
    public static func protocolViolation(_ reason: String) -> ProtocolViolation {
        ProtocolViolation(.protocolViolation, reason)
    }
}

extension ProtocolViolation: CustomStringConvertible {
    /// Code and reason in one line.
    public var description: String {
        "\(self.code): \(self.reason)"
    }
}
