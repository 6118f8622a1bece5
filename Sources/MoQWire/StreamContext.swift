// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Where control bytes come from. Which messages are allowed, and what some of them mean, depends on it.
public enum StreamContext: Hashable, Sendable {
    /// The peer's control stream, before its SETUP.
    case controlStart
    /// The peer's control stream, after its SETUP.
    case control
    /// A bidirectional stream that the peer opened, before its first message.
    case requestStart
    /// A request stream, from the side that opened it, after its first message. `answering` is what its next REQUEST_OK
    /// or REQUEST_ERROR would answer: an update by the other side, or nothing.
    case requester(RequestKind, answering: RequestKind? = nil)
    /// A request stream, from the side that answers. `answering` is what its next answer is for: the request that opened
    /// the stream as long as it is not answered, then `.requestUpdate` while an update is, else nothing.
    case responder(RequestKind, answering: RequestKind?)

    /// What a REQUEST_OK or REQUEST_ERROR would answer here.
    var answering: RequestKind? {
        switch self {
        case .controlStart, .control, .requestStart:
            return nil
        case .requester(_, let answering), .responder(_, let answering):
            return answering
        }
    }

    /// The kind of the request whose stream this is.
    var streamKind: RequestKind? {
        switch self {
        case .controlStart, .control, .requestStart:
            return nil
        case .requester(let kind, _), .responder(let kind, _):
            return kind
        }
    }
}
