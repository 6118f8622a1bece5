// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQWire
import PicoQuic
import Testing

@testable import MoQCommand

@Suite("Report of a load")
struct LoadReportTests {
    private static func sample(second: UInt64, objects: UInt64, measured: UInt64, delivered: UInt64) -> LoadStage.Sample
    {
        LoadStage.Sample(
            publisher: LoadPublisher.Figures(
                total: measured + 5,
                measured: measured,
                due: measured + 7,
                isOver: false,
                threadCPU: second * 300_000_000
            ),
            crowd: LoadCrowd.Figures(
                time: 7_000_000_000 + second * 1_000_000_000,
                threadCPU: second * 200_000_000,
                objects: objects,
                bytes: objects * 1_000_000,
                delivered: delivered,
                duplicated: 3,
                tooOld: 1,
                late: 2,
                corrupt: 4,
                ended: 1,
                slowEnded: 0
            ),
            own: ProcessUsage(userSeconds: Double(second) * 0.4, systemSeconds: Double(second) * 0.2),
            relay: ProcessUsage(
                userSeconds: Double(second),
                systemSeconds: 0.5 * Double(second),
                residentBytes: 4_096,
                voluntarySwitches: second * 10,
                involuntarySwitches: second
            )
        )
    }

    private static func report(target: String?, rate: Double?) -> LoadReport {
        var latency = LatencyHistogram()
        latency.record(1_500)
        var plan = LoadPlan(
            name: "fanout",
            size: 1_000_000,
            groupSize: 10,
            subgroups: 2,
            usesDatagrams: false,
            warmUp: .seconds(1),
            duration: .seconds(2),
            lateAfter: .seconds(1)
        )
        plan.subscribers = 2
        plan.rate = rate
        plan.relayPID = target == nil ? nil : 42
        var first = self.sample(second: 0, objects: 100, measured: 0, delivered: 0)
        var last = self.sample(second: 2, objects: 2_100, measured: 1_000, delivered: 1_990)
        if target == nil {
            first.relay = nil
            last.relay = nil
        }
        return LoadReport(
            plan: plan,
            target: target,
            draft: .draft18,
            packetLoop: .picoquic,
            subscriberLoop: .epoll,
            congestionControl: "bbr1:Q0.05",
            offersAcknowledgementFrequency: false,
            busyPoll: 50,
            isInterrupted: false,
            first: first,
            last: last,
            final: self.sample(second: 3, objects: 2_110, measured: 1_000, delivered: 1_995),
            latency: latency,
            lag: LatencyHistogram()
        )
    }

    private static func parse(_ report: LoadReport) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(report.json.rendered.utf8))
        return try #require(object as? [String: Any])
    }

    @Test("The JSON has what was asked for, what was counted, and what follows from it")
    func json() throws {
        let json = try Self.parse(Self.report(target: "moqt://127.0.0.1:1/", rate: 30))
        #expect(json["command"] as? String == "fanout")
        #expect(json["url"] as? String == "moqt://127.0.0.1:1/")
        #expect(json["draft"] as? Int == 18)
        #expect(json["loop"] as? String == "picoquic")
        #expect(json["subscriber_loop"] as? String == "epoll")
        #expect(json["congestion_control"] as? String == "bbr1:Q0.05")
        #expect(json["ack_frequency"] as? Bool == false)
        #expect(json["busy_poll_us"] as? Int == 50)
        #expect(json["tracks"] as? Int == 1)
        #expect(json["bare"] as? Bool == false)
        #expect(json["rate"] as? Double == 30)
        #expect(json["seconds"] as? Double == 2)
        #expect(json["delivered_bytes"] as? Int == 2_000_000_000)
        #expect(json["objects_per_second"] as? Double == 1_000)
        #expect(json["mbit_per_second"] as? Double == 8_000)
        #expect(json["interrupted"] as? Bool == false)
        let objects = try #require(json["objects"] as? [String: Int])
        let expected = [
            "sent": 1_000, "unsent": 7, "expected": 2_000, "delivered": 1_995, "lost": 4, "duplicated": 3, "late": 2,
            "corrupt": 4, "too_old": 1, "subscribers_lost": 1,
        ]
        #expect(objects == expected)
        let cpu = try #require(json["cpu"] as? [String: Double])
        #expect(cpu["user_seconds"] == 0.8)
        #expect(cpu["seconds_per_gb"] == 0.6)
        #expect(cpu["publisher_seconds"] == 0.6)
        #expect(cpu["publisher_seconds_per_gb"] == 0.3)
        #expect(cpu["subscribers_seconds_per_gb"] == 0.2)
        let relay = try #require(json["relay"] as? [String: Double])
        #expect(relay["pid"] == 42)
        #expect(relay["seconds_per_gb"] == 1.5)
        #expect(relay["resident_bytes"] == 4_096)
        #expect(relay["voluntary_switches"] == 20)
        #expect(relay["involuntary_switches"] == 2)
        let latency = try #require(json["latency_us"] as? [String: Double])
        #expect(
            Set(latency.keys) == ["count", "min", "mean", "p50", "p90", "p99", "p99_9", "p99_99", "max"]
        )
        #expect(latency["p50"] == 1.5)
        #expect((json["send_lag_us"] as? [String: Double])?["count"] == 0)
    }

    @Test("Counts of context switches that have become smaller, because a thread of the relay ended, are none")
    func endedThreads() throws {
        var report = Self.report(target: "moqt://127.0.0.1:1/", rate: 30)
        report.first.relay?.voluntarySwitches = 1_000
        let relay = try #require(try Self.parse(report)["relay"] as? [String: Double])
        #expect(relay["voluntary_switches"] == 0)
        #expect(relay["involuntary_switches"] == 2)
    }

    @Test("Objects of several tracks are expected once for each reader of their track")
    func tracks() throws {
        var report = Self.report(target: nil, rate: 30)
        report.plan.subscribers = 6
        report.plan.tracks = 3
        #expect(report.expectedDeliveries == 2_000)
        #expect(report.plan.totalRate == 90)
        #expect(report.text.contains("subscribers 6 on 3 tracks"))
        #expect(try Self.parse(report)["tracks"] as? Int == 3)
    }

    @Test("What does not apply is null, so that every name is always there")
    func nulls() throws {
        let full = try Self.parse(Self.report(target: "moqt://127.0.0.1:1/", rate: 30))
        let bare = try Self.parse(Self.report(target: nil, rate: nil))
        #expect(Set(full.keys) == Set(bare.keys))
        for name in ["url", "rate", "relay", "send_lag_us"] {
            #expect(bare[name] is NSNull, "\(name)")
        }
    }

    @Test("The text says the same")
    func text() {
        let text = Self.report(target: "moqt://127.0.0.1:1/", rate: 30).text
        for part in [
            "sent 1000  unsent 7  delivered 1995 of 2000  lost 4  duplicated 3  late 2  corrupt 4",
            "8000.0 Mbit/s  1000.0 objects/s  over 2.00 s", "p50 1.50", "relay      cpu 3.00 s (1.50 s/GB)",
            "lost       1 of 2 subscribers", "draft 18", "loop picoquic to epoll polling 50 us, ",
            "bbr1:Q0.05 without ack frequency", "moqt://127.0.0.1:1/",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }
}
