// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a command that asks for a track has on the loop of its session: it has what arrives written to an output. (loop)
protocol OutputStage: EndpointStage {
    /// What is known in the end.
    associatedtype Report: OutputReport

    /// What has been received so far.
    var report: Report { get }

    /// Makes the handler of the session. Called once.
    func attach() -> ClientEndpoint.Attachment

    /// The writer has written most of what waited.
    func writerDrained()
}

/// What a command that asks for a track received.
protocol OutputReport: Sendable {
    /// One sentence about what is missing in the output, nil when nothing is.
    var lossDescription: String? { get }

    /// What else there is to know about an output, which may be a file.
    func notes(isFile: Bool) -> [String]

    /// Adds it to what `--stats` prints.
    func add(to report: inout StatisticsReport)
}
