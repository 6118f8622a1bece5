// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A test case of the interop runner (moq-interop-runner, "MoQT Interoperability Test Cases").
enum InteropCase: String, CaseIterable, Sendable {
    /// Connects, exchanges SETUP, closes.
    case setupOnly = "setup-only"
    /// Announces a namespace.
    case announceOnly = "announce-only"
    /// Announces a namespace and takes it back.
    case publishNamespaceDone = "publish-namespace-done"
    /// Subscribes to what does not exist.
    case subscribeError = "subscribe-error"
    /// Subscribes to a track of another connection.
    case announceSubscribe = "announce-subscribe"
    /// Subscribes half a second before the track is announced.
    case subscribeBeforeAnnounce = "subscribe-before-announce"

    /// How long the answers may take.
    var timeout: Duration {
        switch self {
        case .setupOnly, .announceOnly, .publishNamespaceDone, .subscribeError: .seconds(2)
        case .announceSubscribe: .seconds(3)
        case .subscribeBeforeAnnounce: .milliseconds(3_500)
        }
    }

    /// Whether ``timeout`` is for the whole case; otherwise it begins when the session is set up.
    var timeoutIsTotal: Bool {
        switch self {
        case .announceOnly, .publishNamespaceDone: false
        case .setupOnly, .subscribeError, .announceSubscribe, .subscribeBeforeAnnounce: true
        }
    }
}
