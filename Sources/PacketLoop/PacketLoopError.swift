// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why work could not be done on a loop.
public enum PacketLoopError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The loop has stopped, or it stopped before the work's turn came.
    case stopped

    /// One line for a person to read.
    public var description: String {
        switch self {
        case .stopped:
            return "the packet loop has stopped"
        }
    }
}
