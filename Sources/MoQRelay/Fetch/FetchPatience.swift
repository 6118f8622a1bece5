// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// How long a publisher may keep the subscriber of a fetch waiting: in all, where the subscriber has said so (FILL_TIMEOUT,
/// draft-18 §10.2.5), and else each time. (loop)
struct FetchPatience {
    private let loop: PacketLoop
    private let isTotal: Bool
    private var left: Duration
    private var timer: LoopTimer?
    private var waitingSince: LoopInstant?

    /// - Parameters:
    ///   - fillTimeout: what the subscriber has said, in milliseconds.
    ///   - limit: how long the relay waits at most.
    init(fillTimeout: UInt64?, atMost limit: Duration, on loop: PacketLoop) {
        self.loop = loop
        self.isTotal = fillTimeout != nil
        self.left = min(fillTimeout.map { .milliseconds(Int64(clamping: $0)) } ?? limit, limit)
    }

    /// Whether nothing may be waited for (any more).
    var isExhausted: Bool { self.left <= .zero }

    /// Begins to wait, if it does not yet. `onEnd` is called when it has taken too long.
    mutating func startWaiting(_ onEnd: @escaping () -> Void) {
        guard self.timer == nil else {
            return
        }
        self.waitingSince = self.loop.now
        self.timer = self.loop.schedule(after: self.left, onEnd)
    }

    /// What was waited for is there, or nobody waits for it any more.
    mutating func stopWaiting() {
        self.timer?.cancel()
        self.timer = nil
        if self.isTotal, let since = self.waitingSince {
            self.left = max(.zero, self.left - since.duration(to: self.loop.now))
        }
        self.waitingSince = nil
    }
}
