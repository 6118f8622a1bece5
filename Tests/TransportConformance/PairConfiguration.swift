// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// What both sides of a pair are configured with.
struct PairConfiguration: Sendable {
    var client = WebTransportConfiguration()
    var server = WebTransportConfiguration()
    /// Whether the sessions' handlers are set from the start.
    var setsHandlers = true
}
