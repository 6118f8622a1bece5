// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// What a subscriber received, for `--stats` and for deciding whether it was everything.
struct ReceptionReport: OutputReport {
    /// Bytes of payload.
    var byteCount: UInt64 = 0
    /// Objects.
    var objectCount: UInt64 = 0
    /// Groups.
    var groupCount: UInt64 = 0
    /// Seconds between the answer to the subscription and the last byte.
    var seconds = 0.0
    /// Milliseconds between the time that a tick of a clock carries and its arrival.
    var latency = LatencySamples()
    /// What did not arrive.
    var losses = TrackReassembler.Losses()
    /// Whether objects came in datagrams, which may get lost.
    var usesDatagrams = false
    /// What was published before the subscription began; nil when it began before the track did.
    var joinedAfter: Location?
    /// How many streams the publisher announced that did not arrive.
    var missingStreamCount: UInt64 = 0

    /// One sentence about what is missing in the output, nil when nothing is.
    var lossDescription: String? {
        var parts: [String] = []
        if self.losses.resetStreams > 0 {
            parts.append("\(self.losses.resetStreams) streams were reset by the sender")
        }
        if self.missingStreamCount > 0 {
            parts.append("\(self.missingStreamCount) streams did not arrive")
        }
        if self.losses.incompleteObjects > 0 {
            parts.append("\(self.losses.incompleteObjects) objects are incomplete")
        }
        if self.losses.lateObjects > 0 {
            parts.append("\(self.losses.lateObjects) objects came too late for their place")
        }
        if self.usesDatagrams, self.losses.missingObjects > 0 {
            parts.append("\(self.losses.missingObjects) objects are missing")
        }
        if self.usesDatagrams, self.losses.missingGroups > 0 {
            parts.append("\(self.losses.missingGroups) groups are missing")
        }
        if self.usesDatagrams, self.losses.unfinishedGroups > 0 {
            parts.append("\(self.losses.unfinishedGroups) groups lack their end")
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// One sentence about what came and is not in the output because the time was over; nil when nothing did.
    var withheldDescription: String? {
        let count = self.losses.withheldObjects
        guard count > 0 else { return nil }
        return
            "the output ends where objects were missing when the time was over; \(count) objects behind them are left out"
    }

    /// Where a file begins, if that is not the beginning of the track, and what came and is not in it.
    func notes(isFile: Bool) -> [String] {
        var notes: [String] = []
        if isFile, let joined = self.joinedAfter {
            notes.append(
                "the track had begun earlier, what came up to group \(joined.group) object \(joined.object) is not in the output"
            )
        }
        if let withheld = self.withheldDescription {
            notes.append(withheld)
        }
        return notes
    }

    /// Adds it to what `--stats` prints.
    func add(to report: inout StatisticsReport) {
        report.add(self)
    }

    /// What `--stats` says about it to people.
    var statistics: String {
        var lines = [
            "bytes    \(self.byteCount)",
            "objects  \(self.objectCount)",
            "groups   \(self.groupCount)",
            "seconds  \(Quantity.decimal(self.seconds, digits: 3))",
            "Mbit/s   \(Quantity.megabitsPerSecond(bytes: self.byteCount, seconds: self.seconds))",
        ]
        if self.latency.count > 0 {
            let figures = [self.latency.smallest, self.latency.percentile(0.5), self.latency.largest]
                .map { Quantity.decimal($0, digits: 1) }
            lines.append("latency min/p50/max ms \(figures.joined(separator: "/"))")
        }
        return lines.map { $0 + "\n" }.joined()
    }
}

extension StatisticsReport {
    /// Adds what a subscriber received, in the summary for people.
    mutating func add(_ reception: ReceptionReport) {
        self.summary += reception.statistics
        self.add(
            "track",
            isInSummary: true,
            [
                "bytes": .of(reception.byteCount), "objects": .of(reception.objectCount),
                "groups": .of(reception.groupCount), "seconds": .decimal(reception.seconds),
                "latency_min_ms": .decimal(reception.latency.smallest),
                "latency_p50_ms": .decimal(reception.latency.percentile(0.5)),
                "latency_max_ms": .decimal(reception.latency.largest),
            ]
        )
    }
}
