// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// `moq bench wire`, running.
struct WireRun {
    /// How many objects to write and read on each draft.
    var objects: Int
    /// How long each of them is.
    var payloadLength: Int
    /// Whether to print one JSON object per draft.
    var isJSON: Bool

    /// Measures and prints. A signal ends the process at once.
    func run() throws {
        for profile in DraftProfile.all {
            let report = try WireBenchmark.run(profile, objects: self.objects, payloadLength: self.payloadLength)
            StandardStreams.say(self.isJSON ? self.json(report) : self.text(report))
        }
    }

    private func text(_ report: WireBenchmark.Report) -> String {
        let costs = [report.serialise, report.parse].map { Quantity.decimal($0, digits: 1) }
        return "\(report.draft)  objects \(report.objects)  bytes \(self.payloadLength)  serialise ns \(costs[0])"
            + "  parse ns \(costs[1])  both per second \(Int(report.objectsPerSecond))"
    }

    private func json(_ report: WireBenchmark.Report) -> String {
        let costs = [report.serialise, report.parse].map { Quantity.decimal($0, digits: 1) }
        return "{\"draft\":\"\(report.draft)\",\"objects\":\(report.objects),\"payload_bytes\":\(self.payloadLength),"
            + "\"serialise_ns\":\(costs[0]),\"parse_ns\":\(costs[1]),"
            + "\"objects_per_second\":\(Int(report.objectsPerSecond))}"
    }
}
