// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport
import CPicoquicShims
import PacketLoop
import Testing

@testable import PicoQuic

@Suite("Settings of congestion control, acknowledgements and the loop", .tags(.network), .timeLimit(.minutes(2)))
struct SettingTests {
    @Test(
        "Congestion control takes the options that the library knows",
        arguments: CongestionControl.names + [
            "bbr1:Q0.05", "bbr:Q0.05", "bbr:Q1", "bbr1:T2000", "bbr1:T2000:Q0.001", "bbr:S7:EHLDA:T1",
        ]
    )
    func known(setting: String) {
        #expect(CongestionControl.complaint(about: setting) == nil)
    }

    @Test(
        "An option that the library would read over, or misread, is named",
        arguments: [
            ("warp", "'warp'"), ("", "''"), ("warp:Q1", "'warp'"), ("cubic:Q0.05", "'cubic' takes no options"),
            ("c4:", "'c4' takes no options"), ("bbr1:", "no option ''"), ("bbr1:Q0.05:", "no option ''"),
            ("bbr1:Q", "'Q'"), ("bbr1:Q0", "'Q0'"), ("bbr1:Q1.5", "'Q1.5'"), ("bbr1:Q-1", "'Q-1'"),
            ("bbr1:Q0.0.5", "'Q0.0.5'"), ("bbr1:Q1e-3", "'Q1e-3'"), ("bbr1:Q.5", "'Q.5'"), ("bbr1:S7", "'S7'"),
            ("bbr1:E", "'E'"), ("bbr:X", "'X'"), ("bbr:T", "'T'"), ("bbr:T12345678901", "'T12345678901'"),
            ("bbr1:q0.05", "'q0.05'"), ("bbr1:Q0.05,T3", "'Q0.05,T3'"),
        ]
    )
    func unknown(setting: String, named: String) {
        let complaint = CongestionControl.complaint(about: setting)
        #expect(complaint?.contains(named) == true, "\(complaint ?? "nil")")
        var configuration = QUICConfiguration(applicationProtocols: ["x"])
        configuration.congestionControl = setting
        let error = #expect(throws: QUICError.self) { try configuration.validate() }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == complaint)
    }

    private static func options(_ connection: QUICConnection) -> String? {
        guard let cnx = unsafe connection.cnx, let options = unsafe cpq_congestion_options(cnx) else {
            return nil
        }
        return unsafe String(cString: options)
    }

    @Test(
        "The options reach every connection, on both sides, however late it comes",
        arguments: [("cubic", nil), ("bbr1:Q0.05", "Q0.05"), ("bbr:T2000:Q0.05", "T2000:Q0.05")] as [(String, String?)]
    )
    func reached(setting: String, expected: String?) async throws {
        let fixture = try await Fixture { $0.congestionControl = setting }
        for _ in 0..<2 {
            let link = try await fixture.connect()
            let stream = try await link.send([UInt8](repeating: 1, count: 100_000))
            await link.witness.wait { $0.finished.contains(stream) }
            let (near, far) = try await (
                link.run { connection, _ in Self.options(connection) }, fixture.atServer { Self.options($0) }
            )
            #expect(near == expected)
            #expect(far == expected)
        }
        await fixture.stop()
    }

    private static func hasAckFrequency(_ connection: QUICConnection) -> Bool? {
        unsafe connection.cnx.map { unsafe cpq_has_ack_frequency($0) != 0 }
    }

    @Test("The frequency of acknowledgements is negotiated only when both sides offer it", arguments: [true, false])
    func ackFrequency(server: Bool) async throws {
        for client in [true, false] {
            let certificate = try SelfSignedCertificate()
            var configuration = QUICConfiguration(
                applicationProtocols: ["echo"],
                credentials: .selfSigned(certificate)
            )
            configuration.offersAcknowledgementFrequency = server
            let endpoint = PicoQuicExecutor(label: "server", configuration: configuration) { _ in
                EchoDelegate(witness: Witness(), echoes: true)
            }
            let address = try await endpoint.start(on: .loopback(port: 0))
            var other = QUICConfiguration(applicationProtocols: ["echo"])
            other.verification = .pinned([certificate.fingerprint])
            other.offersAcknowledgementFrequency = client
            let near = PicoQuicExecutor(label: "client", configuration: other)
            try await near.start()
            let witness = Witness()
            let connection = try await near.connect(to: address.host, port: address.port) { _ in
                EchoDelegate(witness: witness, echoes: false)
            }
            let link = Link(connection: connection, witness: witness, loop: near.loop)
            let stream = try await link.send([UInt8](repeating: 1, count: 100_000))
            await link.witness.wait { $0.finished.contains(stream) }
            let negotiated = try await link.run { connection, _ in Self.hasAckFrequency(connection) }
            #expect(negotiated == (server && client))
            await near.stop()
            await endpoint.stop()
        }
    }

    @Test("Busy polling is refused where it cannot be, or would never end")
    func refusals() {
        func complaint(_ adjust: (inout QUICConfiguration) -> Void) -> String? {
            var configuration = QUICConfiguration(applicationProtocols: ["x"])
            adjust(&configuration)
            let error = #expect(throws: QUICError.self) { try configuration.validate() }
            return error?.message
        }
        for wrong in [Duration.microseconds(-1), .milliseconds(1_001)] {
            #expect(complaint { $0.busyPoll = wrong }?.contains("0 to 1 s") == true)
        }
        let loops = complaint {
            $0.packetLoop = .picoquic
            $0.busyPoll = .microseconds(1)
        }
        #expect(loops?.contains("'epoll', not 'picoquic'") == true)
    }

    #if os(Linux)
    /// Waits for a timer of a loop that has nothing else to do.
    private static func idle(for duration: Duration, on loop: PacketLoop) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            loop.post {
                loop.schedule(after: duration) { continuation.resume() }
            }
        }
    }

    @Test("A loop that polls looks before it sleeps, and sleeps in the end; others only sleep")
    func polling() async throws {
        for busyPoll in [Duration.zero, .microseconds(500)] {
            let fixture = try await Fixture { configuration in
                configuration.packetLoop = .epoll
                configuration.busyPoll = busyPoll
            }
            let link = try await fixture.connect()
            let bytes = [UInt8](repeating: 4, count: 300_000)
            let stream = try await link.send(bytes)
            await link.witness.wait { $0.finished.contains(stream) }
            #expect(link.witness.state.received[stream] == bytes)
            let before = await fixture.server.statistics().sleeps
            for _ in 0..<4 {
                await Self.idle(for: .milliseconds(20), on: fixture.server.loop)
            }
            let statistics = await fixture.server.statistics()
            #expect(statistics.sleeps >= before + 4)
            #expect((statistics.polls > 0) == (busyPoll > .zero), "\(statistics.polls)")
            await fixture.stop()
        }
    }

    @Test("A wait is polled for as long as it should be, ends in time, and at once when something has happened")
    func waits() throws {
        let poller = try EpollPoller(features: .all)
        func elapsed(_ microseconds: UInt64, polled: UInt64) throws -> (ready: cls_ready, microseconds: UInt64) {
            let start = cls_monotonic_microseconds()
            let ready = try poller.wait(microseconds, polled: polled)
            return (ready, cls_monotonic_microseconds() - start)
        }
        let asleep = try elapsed(2_000, polled: 0)
        #expect(asleep.ready.polls == 0 && asleep.ready.has_slept != 0 && asleep.microseconds >= 2_000)
        let both = try elapsed(6_000, polled: 3_000)
        #expect(both.ready.polls > 1 && both.ready.has_slept != 0 && both.microseconds >= 6_000)
        let awake = try elapsed(2_000, polled: 3_000)
        #expect(awake.ready.polls > 1 && awake.ready.has_slept == 0 && awake.microseconds >= 2_000)
        let none = try elapsed(0, polled: 3_000)
        #expect(none.ready.polls == 0 && none.ready.has_slept == 0)
        poller.wake()
        let woken = try elapsed(60_000_000, polled: 30_000_000)
        #expect(woken.ready.was_woken != 0 && woken.ready.polls == 1 && woken.ready.has_slept == 0)
    }
    #endif
}
