// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// The clocks that load is measured by, in nanoseconds.
enum BenchClock {
    /// The time on a clock that never goes back and begins at an arbitrary moment. The same for all processes of a host.
    static var now: UInt64 {
        self.read(CLOCK_MONOTONIC)
    }

    /// How much CPU the calling thread has used so far.
    static var threadCPU: UInt64 {
        self.read(CLOCK_THREAD_CPUTIME_ID)
    }

    /// The nanoseconds of a duration; none for one below zero.
    static func nanoseconds(_ duration: Duration) -> UInt64 {
        UInt64(clamping: Int64(max(0, min(Quantity.seconds(duration), 9e9)) * 1e9))
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
