// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import Glibc
import PacketLoop
import TestSupport
import Testing

@testable import PicoQuic

@Suite("Several loops at one port, over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct SharedPortTests {
    @Test(
        "When the address of a client changes, its connections stay with their loops: a hundred times out of a hundred",
        arguments: SharedPortFixture.Way.allCases
    )
    func rebinding(way: SharedPortFixture.Way) async throws {
        let fixture = try await SharedPortFixture(2, way)
        guard await fixture.canRun(way) else { return }
        let proxy = try UDPProxy(to: fixture.address.port)
        var links: [Link] = []
        while links.count < 20 {
            links.append(try await fixture.connect(port: proxy.port))
        }
        #expect(fixture.accepted.allSatisfy { $0 > 0 }, "all connections are on one loop")
        var trials = 0
        for _ in 0..<5 {
            try proxy.move()
            for link in links {
                let stream = try await link.send([1, 2, 3])
                await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
                trials += link.witness.state.received[stream] == [1, 2, 3] ? 1 : 0
            }
        }
        #expect(trials == 100)
        let statistics = await fixture.statistics
        #expect(statistics.connectionsLive == links.count)
        #expect(statistics.connectionsCreated == UInt64(links.count))
        #expect((statistics.packetsForwarded > 0) == (way == .handingOver), "\(statistics.packetsForwarded)")
        #expect(statistics.packetsNotForwarded == 0)
        await fixture.stop()
        proxy.stop()
    }

    @Test("Bulk data arrives whole, whatever loop gets the packets", arguments: SharedPortFixture.Way.allCases)
    func bulk(way: SharedPortFixture.Way) async throws {
        let fixture = try await SharedPortFixture(3, way)
        guard await fixture.canRun(way) else { return }
        let bytes = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        var links: [Link] = []
        // Each has a connection ID of its own, but they share a socket: without help all arrive at one loop.
        while fixture.accepted.filter({ $0 > 0 }).count < 2, links.count < 20 {
            links.append(try await fixture.connect())
        }
        var streams: [UInt64] = []
        for link in links {
            streams.append(try await link.send(bytes))
        }
        for (link, stream) in zip(links, streams) {
            await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
            #expect(link.witness.state.received[stream] == bytes)
        }
        if way == .handingOver {
            #expect(await fixture.statistics.packetsForwarded > 100)
        }
        await fixture.stop()
    }

    @Test("Servers that come back, and are fewer, reset the connections of those before them")
    func resets() async throws {
        let fixture = try await SharedPortFixture(3, .kernel, adjust: StatelessResetTests.adjust)
        let proxy = try UDPProxy(to: fixture.address.port)
        var links: [Link] = []
        while links.count < 9 {
            links.append(try await fixture.connect(port: proxy.port))
        }
        proxy.cut(true)
        await fixture.stopEndpoints()
        let second = try await SharedPortFixture(
            2,
            .kernel,
            on: fixture.address,
            certificate: fixture.certificate,
            adjust: StatelessResetTests.adjust
        )
        proxy.cut(false)
        for link in links { _ = try? await link.send([UInt8](repeating: 2, count: 500)) }
        for link in links {
            await link.witness.wait { !$0.closes.isEmpty }
            #expect(link.witness.state.closes.first?.kind == .statelessReset)
        }
        await second.stop()
        await fixture.stop()
        proxy.stop()
    }

    @Test(
        "A loop that connects to a server gets its packets, and its stateless resets, which may arrive at any other",
        arguments: SharedPortFixture.Way.allCases
    )
    func outgoing(way: SharedPortFixture.Way) async throws {
        let far = try await Fixture(adjust: StatelessResetTests.adjust)
        let fixture = try await SharedPortFixture(
            2,
            way,
            trusts: far.certificate,
            adjust: StatelessResetTests.adjust
        )
        guard await fixture.canRun(way) else {
            await far.stop()
            return
        }
        let proxy = try UDPProxy(to: far.address.port)
        var links: [Link] = []
        for _ in 0..<10 {
            let link = try await SharedPortFixture.connect(fixture.endpoints[1], to: proxy.port)
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }
            links.append(link)
        }
        let second = try await StatelessResetTests.exchange(far, behind: proxy)
        for link in links { _ = try? await link.send([UInt8](repeating: 2, count: 500)) }
        for link in links {
            await link.witness.wait { !$0.closes.isEmpty }
            #expect(link.witness.state.closes.first?.kind == .statelessReset)
        }
        #expect(await fixture.statistics.connectionsCreated == UInt64(links.count))
        await second.stop()
        await fixture.stop()
        await far.stop()
        proxy.stop()
    }

    @Test("When one loop has ended the others go on, and what is for it is dropped and counted")
    func oneEnds() async throws {
        let fixture = try await SharedPortFixture(2, .handingOver)
        var links: [Link] = []
        while fixture.accepted.contains(0), links.count < 40 {
            links.append(try await fixture.connect())
        }
        let expected = fixture.accepted
        await fixture.endpoints[0].stop()
        var live = 0
        for link in links {
            guard let stream = try? await link.send([5]) else { continue }
            await link.witness.wait { $0.finished.contains(stream) || !$0.closes.isEmpty }
            live += link.witness.state.finished.contains(stream) ? 1 : 0
        }
        #expect(live == expected[1])
        // A short header, and an ID of the loop that is gone.
        let sender = try #require(
            try UDPSocket.open(SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 16), ecn: 0).first
        )
        let target = try #require(SocketAddress(host: "127.0.0.1", port: fixture.address.port))
        let bytes = [0x40, 2] + [UInt8](repeating: 0, count: 50)
        let sent = unsafe target.withPointer { pointer in
            unsafe sendto(sender.descriptor, bytes, bytes.count, 0, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        #expect(sent == bytes.count)
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while await fixture.endpoints[1].statistics().packetsNotForwarded == 0, ContinuousClock.now < end {}
        #expect(await fixture.endpoints[1].statistics().packetsNotForwarded > 0)
        await fixture.stop()
    }

    @Test("A port that is held for a server's loops is not given to another server, nor to a child process")
    func reservation() throws {
        let held = try SharedPort(.loopback(port: 0))
        let address = try #require(SocketAddress(host: "127.0.0.1", port: held.address.port))
        switch address.reservePort() {
        case .failure(let error):
            #expect(error.number == EADDRINUSE)
        case .success(let (descriptor, _)):
            Issue.record("two servers share a port")
            close(descriptor)
        }
        let (descriptor, port) = try address.with(port: 0).reservePort().get()
        defer { close(descriptor) }
        #expect(port != held.address.port)
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        held.release()
    }
}
#endif
