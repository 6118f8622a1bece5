// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Measures what a call from another thread onto a loop costs. An idle loop sleeps in the system's wait when the call is
/// made, and has to be woken; a busy one looks when it has done what it is at.
public enum LoopWakeBenchmark {
    /// Microseconds, from the call until it runs on the loop, and until its answer is back.
    public struct Report: Sendable, CustomStringConvertible {
        /// How many calls were measured.
        public var rounds: Int
        /// From the call until it runs on the loop: median.
        public var arrivalMedian: Double
        /// From the call until it runs on the loop: 99 of 100 calls are faster.
        public var arrival99: Double
        /// From the call until its answer is back: median.
        public var roundTripMedian: Double
        /// From the call until its answer is back: 99 of 100 calls are faster.
        public var roundTrip99: Double

        /// One line.
        public var description: String {
            let figures = [self.arrivalMedian, self.arrival99, self.roundTripMedian, self.roundTrip99]
                .map { "\(($0 * 10).rounded() / 10)" }
            return "\(self.rounds) calls onto the loop: p50 \(figures[0]) us, p99 \(figures[1]) us; "
                + "with the answer p50 \(figures[2]) us, p99 \(figures[3]) us"
        }
    }

    /// Measures on an endpoint of its own, which opens a socket and exchanges no packet.
    ///
    /// - Parameters:
    ///   - rounds: how many calls.
    ///   - pause: how long the loop is left alone before each call, so that it really sleeps.
    ///   - work: of how much work at a time the loop always has some more to do; nil for a loop that has none.
    ///   - packetLoop: which loop.
    ///   - busyPoll: how long it looks for packets before it sleeps.
    /// - Throws: errors of the start.
    public static func run(
        rounds: Int = 1_000,
        pause: Duration = .microseconds(500),
        work: Duration? = nil,
        packetLoop: PacketLoopKind = .standard,
        busyPoll: Duration = .zero
    ) async throws -> Report {
        var configuration = QUICConfiguration(applicationProtocols: ["wake"])
        configuration.verification = .insecure
        configuration.packetLoop = packetLoop
        configuration.busyPoll = busyPoll
        let endpoint = PicoQuicExecutor(label: "wake-bench", configuration: configuration)
        try await endpoint.start(on: .loopback(port: 0))
        let loop = endpoint.loop
        let clock = ContinuousClock()
        if let work {
            try await loop.run { self.keepBusy(loop, work) }
        }
        var arrivals: [Double] = []
        var roundTrips: [Double] = []
        for _ in 0..<max(rounds, 1) {
            try await clock.sleep(for: pause)
            let start = clock.now
            let arrival = try await loop.run { clock.now }
            let end = clock.now
            arrivals.append(self.microseconds(start.duration(to: arrival)))
            roundTrips.append(self.microseconds(start.duration(to: end)))
        }
        await endpoint.stop()
        arrivals.sort()
        roundTrips.sort()
        return Report(
            rounds: arrivals.count,
            arrivalMedian: self.quantile(0.5, of: arrivals),
            arrival99: self.quantile(0.99, of: arrivals),
            roundTripMedian: self.quantile(0.5, of: roundTrips),
            roundTrip99: self.quantile(0.99, of: roundTrips)
        )
    }

    /// Works for a while, in every turn of the loop until it ends.
    private static func keepBusy(_ loop: PacketLoop, _ work: Duration) {
        let end = ContinuousClock.now + work
        while ContinuousClock.now < end {}
        loop.schedule(after: .zero) { self.keepBusy(loop, work) }
    }

    static func microseconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) * 1e6 + Double(attoseconds) / 1e12
    }

    static func quantile(_ fraction: Double, of sorted: [Double]) -> Double {
        guard !sorted.isEmpty else {
            return 0
        }
        let index = Int((Double(sorted.count) * fraction).rounded(.up)) - 1
        return sorted[min(max(index, 0), sorted.count - 1)]
    }
}
