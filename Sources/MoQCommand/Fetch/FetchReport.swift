// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// What a fetch brought, for `--stats` and for deciding whether it was everything.
struct FetchReport: OutputReport {
    /// Objects.
    var objectCount: UInt64 = 0
    /// Bytes of payload.
    var byteCount: UInt64 = 0
    /// Groups with at least one object.
    var groupCount: UInt64 = 0
    /// Ranges of which the publisher said that nothing is in them.
    var emptyRangeCount: UInt64 = 0
    /// Ranges of which the publisher does not know what is in them.
    var unknownRangeCount: UInt64 = 0
    /// Where the answer ended, once there was one.
    var end: FetchEnd?
    /// Whether the track ends there, too.
    var isTrackComplete = false
    /// Seconds between the answer and the end.
    var seconds = 0.0
    /// What came of the live track behind it, when that was wanted.
    var live: ReceptionReport?

    /// One sentence about what is missing in the output, nil when nothing is.
    var lossDescription: String? {
        var parts: [String] = []
        if self.unknownRangeCount > 0 {
            parts.append("the relay does not know what is in \(self.unknownRangeCount) ranges")
        }
        if let loss = self.live?.lossDescription {
            parts.append("of the live track \(loss)")
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// What came of the live track and is not in the output.
    func notes(isFile: Bool) -> [String] {
        self.live?.withheldDescription.map { [$0] } ?? []
    }

    /// Adds it to what `--stats` prints.
    func add(to report: inout StatisticsReport) {
        report.add(self)
    }

    /// What `--stats` says about it to people.
    var statistics: String {
        let end =
            switch self.end {
            case .object(let location): "\(location.group)/\(location.object)"
            case .group(let group): "\(group)"
            case nil: "nothing"
            }
        return """
            fetched  \(self.byteCount) bytes in \(self.objectCount) objects of \(self.groupCount) groups
            through  \(end)\(self.isTrackComplete ? ", the end of the track" : "")
            unknown  \(self.unknownRangeCount) ranges
            seconds  \(Quantity.decimal(self.seconds, digits: 3))

            """
    }
}

extension StatisticsReport {
    /// Adds what was fetched, in the summary for people.
    mutating func add(_ fetch: FetchReport) {
        self.summary += fetch.statistics
        self.add(
            "fetch",
            isInSummary: true,
            [
                "bytes": .of(fetch.byteCount), "objects": .of(fetch.objectCount), "groups": .of(fetch.groupCount),
                "end_group": .of(fetch.end?.location.group ?? 0), "end_of_track": .of(fetch.isTrackComplete ? 1 : 0),
                "empty_ranges": .of(fetch.emptyRangeCount), "unknown_ranges": .of(fetch.unknownRangeCount),
                "seconds": .decimal(fetch.seconds),
            ]
        )
        if let live = fetch.live {
            self.add(live)
        }
    }
}
