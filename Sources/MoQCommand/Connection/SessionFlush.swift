// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import PacketLoop

/// Waits until everything that sessions sent is acknowledged, so that closing them loses nothing. (loop)
///
/// Closing a connection drops what is still queued or lost on the way, the last control message included.
enum SessionFlush {
    /// How often the state of the transport is looked at.
    private static let interval = Duration.milliseconds(5)

    /// Calls `completion` on the loop when all open sessions are quiet, at the latest after `timeout`.
    static func wait(
        for sessions: [MoQSession],
        on loop: PacketLoop,
        timeout: Duration = .seconds(2),
        completion: @escaping () -> Void
    ) {
        self.look(at: sessions, on: loop, deadline: loop.now.advanced(by: timeout), completion: completion)
    }

    private static func look(
        at sessions: [MoQSession],
        on loop: PacketLoop,
        deadline: LoopInstant,
        completion: @escaping () -> Void
    ) {
        guard loop.now < deadline, sessions.contains(where: \.hasUnconfirmedData) else {
            completion()
            return
        }
        loop.schedule(after: self.interval) {
            self.look(at: sessions, on: loop, deadline: deadline, completion: completion)
        }
    }
}
