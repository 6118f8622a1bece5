// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire
internal import PicoQuic

/// What a load was and what became of it, for people and for programs. The names in the JSON stay as they are.
struct LoadReport: Sendable {
    /// What was asked for.
    var plan: LoadPlan
    /// The relay; nil when the publisher served its subscribers itself.
    var target: String?
    /// The draft that the subscribers spoke.
    var draft: DraftVersion?
    /// What carried our packets, those of the subscribers too, and what decided how many.
    var packetLoop: PacketLoopKind
    var subscriberLoop: PacketLoopKind
    var congestionControl: String
    /// Whether peers were offered to say how often they are to be acknowledged.
    var offersAcknowledgementFrequency: Bool
    /// How many microseconds our loop looks for packets before it sleeps.
    var busyPoll: Int
    /// Whether a signal ended the load.
    var isInterrupted: Bool
    /// At the beginning and at the end of what is measured, and when nothing was under way any more.
    var first: LoadStage.Sample
    var last: LoadStage.Sample
    var final: LoadStage.Sample
    /// How long objects took from when they were due, and how late they were handed over.
    var latency: LatencyHistogram
    var lag: LatencyHistogram

    // MARK: - What follows from that

    /// How long was measured.
    var seconds: Double { Self.seconds(self.first.crowd.time, self.last.crowd.time) }
    /// How many bytes of payload arrived in that time.
    var bytes: UInt64 { self.last.crowd.bytes - self.first.crowd.bytes }
    /// How many objects arrived in that time.
    var objects: UInt64 { self.last.crowd.objects - self.first.crowd.objects }
    /// How many deliveries there should have been of what was sent.
    var expectedDeliveries: UInt64 { self.plan.deliveries(of: self.final.publisher.measured) }
    /// How many of them there were not.
    var lost: UInt64 {
        let arrived = self.final.crowd.delivered + self.final.crowd.tooOld
        return self.expectedDeliveries - min(arrived, self.expectedDeliveries)
    }
    /// How many objects were due and could not be sent by the end of the load.
    var unsent: UInt64 { self.final.publisher.due - min(self.final.publisher.measured, self.final.publisher.due) }

    private var own: ProcessUsage { Self.difference(self.first.own, self.last.own) }
    private var publisherSeconds: Double {
        Self.seconds(self.first.publisher.threadCPU, self.last.publisher.threadCPU)
    }
    private var subscriberSeconds: Double { Self.seconds(self.first.crowd.threadCPU, self.last.crowd.threadCPU) }
    private var relay: ProcessUsage? {
        guard let first = self.first.relay, let last = self.last.relay else { return nil }
        return Self.difference(first, last)
    }

    private static func seconds(_ from: UInt64, _ to: UInt64) -> Double {
        Double(to - min(from, to)) / 1e9
    }

    private static func difference(_ first: ProcessUsage, _ last: ProcessUsage) -> ProcessUsage {
        ProcessUsage(
            userSeconds: last.userSeconds - first.userSeconds,
            systemSeconds: last.systemSeconds - first.systemSeconds,
            residentBytes: last.residentBytes,
            voluntarySwitches: self.growth(first.voluntarySwitches, last.voluntarySwitches),
            involuntarySwitches: self.growth(first.involuntarySwitches, last.involuntarySwitches)
        )
    }

    /// A process forgets what its threads did that have ended.
    private static func growth(_ first: UInt64, _ last: UInt64) -> UInt64 {
        last - min(first, last)
    }

    /// So many seconds for each 10^9 bytes that arrived; nil when none did.
    private func perGigabyte(_ seconds: Double) -> Double? {
        self.bytes > 0 ? seconds / (Double(self.bytes) / 1e9) : nil
    }

    private func perSecond(_ amount: Double) -> Double {
        self.seconds > 0 ? amount / self.seconds : 0
    }

    // MARK: - For programs

    /// One object.
    var json: JSONObject {
        var json = JSONObject()
        json.add("command", .text(self.plan.name))
        json.add("url", self.target.map { .text($0) } ?? .null)
        json.add("draft", self.draft.map { .integer(UInt64($0.number)) } ?? .null)
        json.add("loop", .text(self.packetLoop.rawValue))
        json.add("subscriber_loop", .text(self.subscriberLoop.rawValue))
        json.add("congestion_control", .text(self.congestionControl))
        json.add("ack_frequency", .bool(self.offersAcknowledgementFrequency))
        json.add("busy_poll_us", UInt64(clamping: self.busyPoll))
        json.add("subscribers", UInt64(self.plan.subscribers))
        json.add("tracks", UInt64(self.plan.tracks))
        json.add("rate", self.plan.rate.map { .decimal($0) } ?? .null)
        json.add("size", UInt64(self.plan.size))
        json.add("group_size", self.plan.groupSize)
        json.add("subgroups", UInt64(self.plan.subgroups))
        json.add("datagrams", .bool(self.plan.usesDatagrams))
        json.add("bare", .bool(self.plan.isBare))
        json.add("warm_up_seconds", .decimal(Quantity.seconds(self.plan.warmUp)))
        json.add("seconds", .decimal(self.seconds))
        json.add("interrupted", .bool(self.isInterrupted))
        json.add("objects", .object(self.counts))
        json.add("delivered_bytes", self.bytes)
        json.add("objects_per_second", .decimal(self.perSecond(Double(self.objects))))
        json.add("mbit_per_second", .decimal(self.perSecond(Double(self.bytes) * 8e-6)))
        json.add("latency_us", .object(Self.json(self.latency)))
        json.add("send_lag_us", self.plan.rate.map { _ in .object(Self.json(self.lag)) } ?? .null)
        json.add("cpu", .object(self.cpu))
        json.add("resident_bytes", self.last.own.residentBytes)
        json.add("relay", self.relay.map { .object(self.json($0)) } ?? .null)
        return json
    }

    private var counts: JSONObject {
        var counts = JSONObject()
        counts.add("sent", self.final.publisher.measured)
        counts.add("unsent", self.unsent)
        counts.add("expected", self.expectedDeliveries)
        counts.add("delivered", self.final.crowd.delivered)
        counts.add("lost", self.lost)
        counts.add("duplicated", self.final.crowd.duplicated)
        counts.add("late", self.final.crowd.late)
        counts.add("corrupt", self.final.crowd.corrupt)
        counts.add("too_old", self.final.crowd.tooOld)
        counts.add("subscribers_lost", UInt64(self.final.crowd.ended))
        return counts
    }

    private var cpu: JSONObject {
        var cpu = JSONObject()
        cpu.add("user_seconds", .decimal(self.own.userSeconds))
        cpu.add("system_seconds", .decimal(self.own.systemSeconds))
        cpu.add("publisher_seconds", .decimal(self.publisherSeconds))
        cpu.add("subscribers_seconds", .decimal(self.subscriberSeconds))
        cpu.add("seconds_per_gb", self.json(self.perGigabyte(self.own.cpuSeconds)))
        cpu.add("publisher_seconds_per_gb", self.json(self.perGigabyte(self.publisherSeconds)))
        cpu.add("subscribers_seconds_per_gb", self.json(self.perGigabyte(self.subscriberSeconds)))
        return cpu
    }

    private func json(_ relay: ProcessUsage) -> JSONObject {
        var json = JSONObject()
        json.add("pid", self.plan.relayPID.map { UInt64($0.magnitude) })
        json.add("user_seconds", .decimal(relay.userSeconds))
        json.add("system_seconds", .decimal(relay.systemSeconds))
        json.add("seconds_per_gb", self.json(self.perGigabyte(relay.cpuSeconds)))
        json.add("resident_bytes", relay.residentBytes)
        json.add("voluntary_switches", relay.voluntarySwitches)
        json.add("involuntary_switches", relay.involuntarySwitches)
        return json
    }

    private func json(_ value: Double?) -> JSONValue {
        value.map { .decimal($0) } ?? .null
    }

    private static let percentiles: [(name: String, label: String, share: Double)] = [
        ("p50", "p50", 0.5), ("p90", "p90", 0.9), ("p99", "p99", 0.99), ("p99_9", "p99.9", 0.999),
        ("p99_99", "p99.99", 0.9999),
    ]

    static func json(_ histogram: LatencyHistogram) -> JSONObject {
        var json = JSONObject()
        json.add("count", histogram.count)
        json.add("min", .decimal(Double(histogram.minimum) / 1e3))
        json.add("mean", .decimal(histogram.mean / 1e3))
        for (name, _, share) in self.percentiles {
            json.add(name, .decimal(Double(histogram.percentile(share)) / 1e3))
        }
        json.add("max", .decimal(Double(histogram.maximum) / 1e3))
        return json
    }

    // MARK: - For people

    /// A few lines, without a line end at the end.
    var text: String {
        var lines = [self.heading]
        let counts = self.final
        lines.append(
            "objects    sent \(counts.publisher.measured)  unsent \(self.unsent)  delivered \(counts.crowd.delivered) of "
                + "\(self.expectedDeliveries)  lost \(self.lost)  duplicated \(counts.crowd.duplicated)  "
                + "late \(counts.crowd.late)  corrupt \(counts.crowd.corrupt)"
        )
        lines.append(
            "rate       \(Self.text(self.perSecond(Double(self.bytes) * 8e-6))) Mbit/s  "
                + "\(Self.text(self.perSecond(Double(self.objects)))) objects/s  over \(Self.text(self.seconds)) s"
        )
        lines.append("latency    \(Self.text(self.latency))")
        if self.plan.rate != nil {
            lines.append("sent late  \(Self.text(self.lag))")
        }
        lines.append(
            "cpu        \(Self.text(self.own.userSeconds)) s user  \(Self.text(self.own.systemSeconds)) s system  "
                + "publisher \(self.text(self.publisherSeconds))  subscribers \(self.text(self.subscriberSeconds))"
        )
        if let relay = self.relay {
            lines.append(
                "relay      cpu \(self.text(relay.cpuSeconds))  resident \(Quantity.bytes(relay.residentBytes))  "
                    + "context switches \(relay.voluntarySwitches) + \(relay.involuntarySwitches)"
            )
        }
        if self.final.crowd.ended > 0 {
            lines.append("lost       \(self.final.crowd.ended) of \(self.plan.subscribers) subscribers")
        }
        return lines.joined(separator: "\n")
    }

    private var heading: String {
        let draft = self.draft.map { "draft \($0.number)" } ?? (self.plan.isBare ? "without MoQ" : "no draft")
        let pace = self.plan.rate.map { "\(Self.text($0)) objects/s" } ?? "objects"
        var shape = " in groups of \(self.plan.groupSize), subgroups \(self.plan.subgroups)"
        if self.plan.isBare {
            shape = " on one stream"
        } else if self.plan.usesDatagrams {
            shape = " in datagrams"
        }
        let tracks = self.plan.tracks > 1 ? " on \(self.plan.tracks) tracks" : ""
        var loop = self.packetLoop.rawValue
        if self.subscriberLoop != self.packetLoop {
            loop += " to \(self.subscriberLoop.rawValue)"
        }
        var settings = self.congestionControl
        if !self.offersAcknowledgementFrequency {
            settings += " without ack frequency"
        }
        if self.busyPoll > 0 {
            loop += " polling \(self.busyPoll) us"
        }
        return "\(self.plan.name)  \(pace) of \(self.plan.size) bytes\(shape), subscribers "
            + "\(self.plan.subscribers)\(tracks), \(draft), loop \(loop), \(settings), "
            + "\(self.target ?? "direct")"
    }

    private static func text(_ value: Double) -> String {
        Quantity.decimal(value, digits: value < 10 ? 2 : 1)
    }

    /// `1.25 s (0.52 s/GB)`.
    private func text(_ seconds: Double) -> String {
        let share = self.perGigabyte(seconds).map { " (\(Self.text($0)) s/GB)" } ?? ""
        return "\(Self.text(seconds)) s\(share)"
    }

    static func text(_ histogram: LatencyHistogram) -> String {
        let shares = self.percentiles.map { "\($0.label) \(self.text(Double(histogram.percentile($0.share)) / 1e3))" }
        let rest = ["mean \(self.text(histogram.mean / 1e3))", "max \(self.text(Double(histogram.maximum) / 1e3))"]
        return (shares + rest).joined(separator: "  ") + " us"
    }
}
