// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import PicoQuic

/// `moq bench wake`, running.
struct WakeRun {
    /// How long the loop is left alone before each call, so that it sleeps in the system when the call comes.
    private static let rest = Duration.microseconds(500)

    /// How many calls to make.
    var count: Int

    /// Measures and prints.
    func run() async throws {
        var configuration = QUICConfiguration(applicationProtocols: ["moq-bench"])
        configuration.verification = .insecure
        let endpoint = PicoQuicExecutor(configuration: configuration)
        do {
            try await endpoint.start()
        } catch {
            throw CommandFailure(error.message)
        }
        let outcome = Outcome<(there: LatencySamples, back: LatencySamples)>()
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let loop = endpoint.loop
        let count = self.count
        Task {
            do {
                outcome.succeed(try await Self.measure(loop, count: count))
            } catch {
                outcome.fail(CommandFailure("\(error)"))
            }
        }
        let result: Result<(there: LatencySamples, back: LatencySamples), any Error>
        do {
            result = .success(try await outcome.value())
        } catch {
            result = .failure(error)
        }
        await endpoint.stop()
        let samples = try result.get()
        StandardStreams.say("calls                 \(samples.there.count)")
        StandardStreams.say("call onto idle loop   \(Self.figures(samples.there))")
        StandardStreams.say("call and answer       \(Self.figures(samples.back))")
    }

    private static func measure(
        _ loop: PacketLoop,
        count: Int
    ) async throws -> (there: LatencySamples, back: LatencySamples) {
        let clock = ContinuousClock()
        var there = LatencySamples()
        var back = LatencySamples()
        for _ in 0..<count {
            try await Task.sleep(for: self.rest)
            let called = clock.now
            let arrived = try await loop.run { clock.now }
            let answered = clock.now
            there.record(Quantity.seconds(called.duration(to: arrived)) * 1_000_000)
            back.record(Quantity.seconds(called.duration(to: answered)) * 1_000_000)
        }
        return (there, back)
    }

    private static func figures(_ samples: LatencySamples) -> String {
        let figures = [samples.percentile(0.5), samples.percentile(0.99), samples.largest]
            .map { Quantity.decimal($0, digits: 1) }
        return "p50/p99/max us \(figures.joined(separator: "/"))"
    }
}
