// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// When a subscriber asks again for a track that is published and does not exist yet: a relay may take a while to know
/// everywhere what was announced.
struct LoadRetries {
    private static let delay = Duration.milliseconds(100)
    private static let maximum = 49

    private var count = 0

    /// Has `ask` called a little later, when the track did not exist and was not asked for too often already; returns whether
    /// that is so.
    mutating func retry(after error: MoQError, in session: MoQSession, ask: @escaping () -> Void) -> Bool {
        guard error.requestError == .doesNotExist, self.count < Self.maximum else { return false }
        self.count += 1
        _ = session.loop.schedule(after: Self.delay, ask)
        return true
    }
}
