// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// Sends the time as a track, whether or not anybody listens. (loop)
///
/// Ticks fall on whole multiples of the interval since 1970, and each is a group of its own with one object: the group's
/// id is the number of that multiple. So every tick stands alone, ids grow across restarts, and a subscriber gets the
/// next tick whatever it filters.
final class ClockPump {
    private let loop: PacketLoop
    private let track: LiveTrack
    private let intervalMicroseconds: Int64
    private var timer: LoopTimer?

    /// How many ticks were sent.
    private(set) var tickCount: UInt64 = 0

    /// Makes a clock that ticks once per interval, which is at least a millisecond.
    init(loop: PacketLoop, track: LiveTrack, interval: Duration) {
        self.loop = loop
        self.track = track
        self.intervalMicroseconds = max(1_000, Int64(Quantity.seconds(interval) * 1_000_000))
    }

    /// Begins to tick.
    func start() {
        self.scheduleNext(after: ClockStamp.microsecondsNow())
    }

    /// Stops ticking. The track stays.
    func stop() {
        self.timer?.cancel()
        self.timer = nil
    }

    private func scheduleNext(after moment: Int64) {
        let tick = moment / self.intervalMicroseconds + 1
        let wait = tick * self.intervalMicroseconds - ClockStamp.microsecondsNow()
        self.timer = self.loop.schedule(after: .microseconds(max(0, wait))) { [weak self] in
            self?.send(tick: tick)
        }
    }

    private func send(tick: Int64) {
        let moment = tick * self.intervalMicroseconds
        // The loop's clock and the system's may differ by a little; a tick never comes before its time.
        guard ClockStamp.microsecondsNow() >= moment else {
            self.scheduleNext(after: moment - 1)
            return
        }
        let text = Bytes(utf8: ClockStamp(milliseconds: moment / 1_000).text + "\n")
        self.track.beginGroup(UInt64(clamping: tick))
        self.track.send(objectID: 0, payload: ObjectCutter.Piece(parts: [text], count: text.count))
        self.track.endGroup()
        self.tickCount += 1
        self.scheduleNext(after: max(moment, ClockStamp.microsecondsNow()))
    }
}
