// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Both sides of a load, ready: where it happens.
protocol LoadScene: Sendable {
    /// What the sides report.
    var events: LoadEvents { get }

    /// Lets the objects flow.
    func start(_ schedule: LoadSchedule) async throws
    /// Sends no more.
    func stopSending() async throws
    /// Looks at everything.
    func sample() async throws -> LoadStage.Sample
    /// How long objects took, and how late they were handed over.
    func histograms() async throws -> (latency: LatencyHistogram, lag: LatencyHistogram)
    /// The draft that the subscribers speak; nil when they do not speak MoQ.
    func draft() async throws -> DraftVersion?
    /// Closes everything.
    func close() async
}
