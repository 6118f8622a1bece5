// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Which streams carry control messages.
public enum ControlShape: Hashable, Sendable {
    /// One bidirectional stream that the client opens (up to draft 16). In draft 16 a SUBSCRIBE_NAMESPACE has a stream of
    /// its own besides.
    case singleBidirectional
    /// A unidirectional stream from each side, and a bidirectional one for each request (draft 18 and later).
    case pairWithRequestStreams
}
