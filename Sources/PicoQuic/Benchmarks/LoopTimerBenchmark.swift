// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Measures what timers cost on an endpoint's loop: scheduling and cancelling beside many others, and how late a short
/// timer fires.
public enum LoopTimerBenchmark {
    /// What pairs of scheduling and cancelling cost beside a number of timers.
    public struct Cost: Sendable {
        /// How many timers were armed all the time.
        public var live: Int
        /// Nanoseconds for scheduling one and cancelling another.
        public var nanoseconds: Double
    }

    /// What was measured.
    public struct Report: Sendable {
        /// How many pairs were measured beside each number of timers.
        public var pairs: Int
        /// What a pair costs.
        public var costs: [Cost]
        /// How many short timers were measured.
        public var rounds: Int
        /// Microseconds by which a timer of 300 microseconds is late: median.
        public var latenessMedian: Double
        /// Microseconds by which a timer of 300 microseconds is late: 99 of 100 are earlier.
        public var lateness99: Double
    }

    /// How long the short timers take.
    private static let shortDelay: Duration = .microseconds(300)

    /// Measures on an endpoint of its own, which opens a socket and exchanges no packet.
    ///
    /// - Parameters:
    ///   - pairs: how many pairs of scheduling and cancelling, beside each number of timers.
    ///   - live: the numbers of timers.
    ///   - rounds: how many short timers.
    /// - Throws: errors of the start.
    public static func run(
        pairs: Int = 1_000_000,
        live: [Int] = [1, 1_000, 100_000],
        rounds: Int = 1_000
    ) async throws -> Report {
        var configuration = QUICConfiguration(applicationProtocols: ["timers"])
        configuration.verification = .insecure
        let endpoint = PicoQuicExecutor(label: "timer-bench", configuration: configuration)
        try await endpoint.start(on: .loopback(port: 0))
        let loop = endpoint.loop
        var costs: [Cost] = []
        for count in live {
            let count = max(count, 1)
            let nanoseconds = try await loop.run { Self.nanosecondsPerPair(on: loop, live: count, pairs: pairs) }
            costs.append(Cost(live: count, nanoseconds: nanoseconds))
        }
        var lateness: [Double] = []
        for _ in 0..<max(rounds, 1) {
            lateness.append(LoopWakeBenchmark.microseconds(await self.lateness(on: loop)))
        }
        await endpoint.stop()
        lateness.sort()
        return Report(
            pairs: pairs,
            costs: costs,
            rounds: lateness.count,
            latenessMedian: LoopWakeBenchmark.quantile(0.5, of: lateness),
            lateness99: LoopWakeBenchmark.quantile(0.99, of: lateness)
        )
    }

    /// Cancels any of the timers and schedules another in its place, again and again. (loop)
    private static func nanosecondsPerPair(on loop: PacketLoop, live: Int, pairs: Int) -> Double {
        final class Owner {
            var fired = 0
        }
        let owner = Owner()
        let start = loop.now
        var random: UInt64 = 0x2545_F491_4F6C_DD1D
        func next(below limit: UInt64) -> UInt64 {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return random % limit
        }
        // Far enough away that none fires.
        func schedule() -> LoopTimer {
            let delay = 3_600_000_000 &+ next(below: 60_000_000)
            return loop.schedule(at: LoopInstant(microseconds: start.microseconds &+ delay)) { owner.fired += 1 }
        }
        var timers = (0..<live).map { _ in schedule() }
        let clock = ContinuousClock()
        let elapsed = clock.measure {
            for _ in 0..<pairs {
                let index = Int(next(below: UInt64(live)))
                timers[index].cancel()
                timers[index] = schedule()
            }
        }
        for timer in timers {
            timer.cancel()
        }
        return LoopWakeBenchmark.microseconds(elapsed) * 1_000 / Double(max(pairs, 1))
    }

    private static func lateness(on loop: PacketLoop) async -> Duration {
        let clock = ContinuousClock()
        return await withCheckedContinuation { continuation in
            let accepted = loop.post {
                let deadline = clock.now.advanced(by: Self.shortDelay)
                loop.schedule(after: Self.shortDelay) {
                    continuation.resume(returning: deadline.duration(to: clock.now))
                }
            }
            if !accepted {
                continuation.resume(returning: .zero)
            }
        }
    }
}
