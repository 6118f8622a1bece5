// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Glibc
import PacketLoop
import TestSupport
import Testing

@testable import PicoQuic

extension SystemFeatures: CustomTestStringConvertible {
    package var testDescription: String {
        Self.words.filter { self.contains($0.feature) }.map(\.name).joined(separator: ", ")
    }
}

@Suite("Systems that do not have everything", .tags(.network), .timeLimit(.minutes(2)))
struct SystemFeatureTests {
    /// Each one alone.
    static let each = SystemFeatures.words.map(\.feature)

    @Test("Everything that can be missing has a name and a substitute")
    func words() {
        #expect(Self.each.reduce(SystemFeatures()) { $0.union($1) } == .all)
        #expect(Set(SystemFeatures.words.map(\.name)).count == Self.each.count)
        #expect(Set(SystemFeatures.words.map(\.substitute)).count == Self.each.count)
    }

    /// The lines that say that the system has no such feature.
    private func lines(about feature: SystemFeatures, in log: LogRecorder) throws -> [String] {
        let words = try #require(SystemFeatures.words.first { $0.feature == feature })
        return log.lines.filter { $0.contains("the system has no \(words.name): \(words.substitute)") }
    }

    @Test("A transfer works without a feature, and each endpoint says once that it is missing", arguments: each)
    func transfer(without feature: SystemFeatures) async throws {
        let log = LogRecorder()
        let fixture = try await Fixture(listen: .any(port: 0), log: log.logger) { configuration in
            configuration.packetLoop = .epoll
            configuration.usableFeatures.remove(feature)
        }
        let link = try await fixture.connect(host: "127.0.0.1")
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let stream = try await link.send(bytes)
        await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
        #expect(link.witness.state.received[stream] == bytes)
        let isEarly = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            let loop = fixture.client.loop
            loop.post {
                let due = loop.now.advanced(by: .microseconds(300))
                loop.schedule(at: due) { continuation.resume(returning: loop.now < due) }
            }
        }
        #expect(!isEarly)
        await fixture.stop()
        let lines = try self.lines(about: feature, in: log)
        // Only who shares a port asks the kernel to steer.
        let isAsked = feature != .steering
        #expect(lines.count == (isAsked ? 2 : 0), "\(log.lines)")
        #expect(lines.filter { $0.hasPrefix("notice: ") && $0.contains("loop=test-server") }.count == (isAsked ? 1 : 0))
    }

    @Test("A system that has everything is not talked about, and picoquic's loop misses only what it would use")
    func silence() async throws {
        for loop in PacketLoopKind.available {
            let log = LogRecorder()
            let fixture = try await Fixture(log: log.logger) { configuration in
                configuration.packetLoop = loop
                configuration.usableFeatures = loop == .epoll ? .all : []
            }
            let link = try await fixture.connect()
            let stream = try await link.send([1, 2, 3])
            await link.witness.wait { $0.finished.contains(stream) }
            await fixture.stop()
            let missing = log.lines.filter { $0.contains("the system has no") }
            if loop == .picoquic {
                #expect(missing.count == 2)
                #expect(try self.lines(about: .preciseTimers, in: log).count == 2)
            } else if !missing.isEmpty {
                print("NOT RUN: this system lacks something: \(missing)")
            }
        }
    }

    @Test("A transfer works when everything is missing at once")
    func nothing() async throws {
        let fixture = try await Fixture(listen: .any(port: 0), log: LogRecorder().logger) { configuration in
            configuration.packetLoop = .epoll
            configuration.usableFeatures = []
        }
        for host in ["127.0.0.1", "::1"] where SocketPlan.hasIPv6 || host == "127.0.0.1" {
            let link = try await fixture.connect(host: host)
            let bytes = [UInt8](repeating: 3, count: 200_000)
            let stream = try await link.send(bytes)
            await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
            #expect(link.witness.state.received[stream] == bytes)
        }
        #expect(await fixture.server.statistics().connectionsCreated == (SocketPlan.hasIPv6 ? 2 : 1))
        await fixture.stop()
    }

    @Test("Without steering the loops of a server hand packets over, and the log says so once, with the reason")
    func steering() async throws {
        let log = LogRecorder()
        let fixture = try await SharedPortFixture(2, .kernel, log: log.logger) {
            $0.usableFeatures.remove(.steering)
        }
        #expect(fixture.group.kernelSteering == .inactive(systemErrorText(ENOPROTOOPT)))
        var links: [Link] = []
        while fixture.accepted.contains(0), links.count < 40 {
            links.append(try await fixture.connect())
        }
        for link in links {
            let stream = try await link.send([UInt8](repeating: 1, count: 20_000))
            await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
            #expect(link.witness.state.closes.isEmpty)
        }
        #expect(await fixture.statistics.packetsForwarded > 0)
        await fixture.stop()
        let lines = try self.lines(about: .steering, in: log)
        #expect(lines.count == 1, "\(log.lines)")
        #expect(lines.first?.contains("reason=\(systemErrorText(ENOPROTOOPT))") == true)
    }

    @Test("That a network card cannot cut is found out with a message: everything arrives, and the log says so once")
    func card() async throws {
        let log = LogRecorder()
        let refusals = Locked(0)
        let fixture = try await unsafe TransmitFixture(log: log.logger) { descriptor, messages, count in
            let whole = unsafe UnsafeBufferPointer(start: messages, count: Int(count)).prefix {
                unsafe $0.segment == 0 || $0.segment >= $0.count
            }
            guard unsafe !whole.isEmpty else {
                refusals.withLock { $0 += 1 }
                return -EIO
            }
            return unsafe cls_send(descriptor, messages, UInt32(whole.count))
        }
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let stream = try await fixture.link.send(bytes)
        let witness = fixture.link.witness
        await witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
        #expect(witness.state.received[stream] == bytes)
        await fixture.stop()
        #expect(refusals.withLock { $0 } > 0)
        let lines = try self.lines(about: .cuttingMessages, in: log)
        #expect(lines.count == 1, "\(log.lines)")
    }

    /// What a socket without some features says of twenty datagrams that were sent as one message with an ECN mark.
    private struct Arrival {
        var datagrams = 0
        /// How many messages they came in.
        var messages = 0
        var marks: Set<UInt8> = []
        var targets: Set<UInt32> = []
        var ports: Set<UInt16> = []
    }

    private func arrival(
        without missing: SystemFeatures,
        sending: SystemFeatures = .all,
        host: String = "127.0.0.1"
    ) throws -> Arrival {
        let plan = try SocketPlan(
            address: host == "127.0.0.1" ? .loopback(port: 0) : .any(port: 0),
            bufferSize: 1 << 20
        )
        let features = SystemFeatures.all.subtracting(missing)
        let socket = try #require(try UDPSocket.open(plan, ecn: 0, features: features).first)
        #expect(socket.features == SystemFeatures.ofSockets.subtracting(missing))
        let sender = try #require(
            try UDPSocket.open(SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 20), ecn: 1, features: sending)
                .first
        )
        try sender.send([UInt8](repeating: 0, count: 20_000), segment: 1_000, toLocal: socket.port)
        let receiver = try DatagramReceiver()
        var arrival = Arrival()
        var last: UnsafeMutablePointer<UInt8>?
        while arrival.datagrams < 20 {
            let before = arrival.datagrams
            _ = unsafe receiver.receive(from: socket) { datagram, source in
                arrival.datagrams += 1
                let start = unsafe source.pointee.bytes
                arrival.messages += unsafe start == last ? 0 : 1
                unsafe last = start
                arrival.marks.insert(unsafe source.pointee.ecn)
                let to = unsafe withUnsafeBytes(of: source.pointee.to) { unsafe $0.load(as: sockaddr_in.self) }
                arrival.targets.insert(UInt32(bigEndian: to.sin_addr.s_addr))
                arrival.ports.insert(UInt16(bigEndian: to.sin_port))
                #expect(to.sin_family == sa_family_t(AF_INET))
            }
            try #require(arrival.datagrams > before)
        }
        #expect(arrival.ports == [socket.port])
        return arrival
    }

    @Test("What a socket lacks it does not do, and the rest it does")
    func sockets() throws {
        let whole = try self.arrival(without: [])
        #expect(whole.messages == 1 && whole.marks == [1] && whole.targets == [0x7f00_0001])
        #expect(try self.arrival(without: .joiningDatagrams).messages == 20)
        #expect(try self.arrival(without: .receivingECN).marks == [0])
        #expect(try self.arrival(without: [], sending: .all.subtracting(.sendingECN)).marks == [0])
        // Of a socket with one address it is known where its packets come to; of the others only the port.
        #expect(try self.arrival(without: .destinations).targets == [0x7f00_0001])
        #expect(try self.arrival(without: .destinations, host: "any").targets == [0])
        #expect(try self.arrival(without: [], host: "any").targets == [0x7f00_0001])
    }

    @Test("Without exact waits none ends too early")
    func waits() throws {
        let coarse = try EpollPoller(features: SystemFeatures.all.subtracting(.preciseWaits))
        #expect(!coarse.isPrecise)
        for microseconds in [1, 300, 1_500] as [UInt64] {
            let start = cls_monotonic_microseconds()
            _ = try coarse.wait(microseconds)
            #expect(cls_monotonic_microseconds() - start >= microseconds)
        }
    }
}
#endif
