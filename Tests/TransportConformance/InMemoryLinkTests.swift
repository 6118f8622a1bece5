// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("The simulated link", .timeLimit(.minutes(1)))
struct InMemoryLinkTests {
    /// A link with a peer at each end.
    private struct Ends {
        let driver: ManualLoopDriver
        let link: InMemoryLink
        let client: Peer
        let server: Peer

        init(_ configuration: InMemoryLinkConfiguration) {
            let loop = ManualLoopDriver.makeLoop()
            self.driver = ManualLoopDriver(loop: loop)
            self.link = InMemoryLink(loop: loop, configuration: configuration)
            self.client = Peer(session: self.link.client, loop: loop)
            self.server = Peer(session: self.link.server, loop: loop)
            self.link.client.handler = self.client
            self.link.server.handler = self.server
        }
    }

    @Test("a packet takes the latency, to the microsecond")
    func latency() throws {
        var configuration = InMemoryLinkConfiguration()
        configuration.latency = .milliseconds(30)
        let ends = Ends(configuration)
        defer { ends.driver.stop() }
        try ends.link.client.sendDatagram([1])
        ends.driver.advance(by: .microseconds(29_999))
        #expect(ends.server.datagrams.isEmpty)
        ends.driver.advance(by: .microseconds(1))
        #expect(ends.server.datagrams == [[1]])
    }

    @Test("a narrow link carries what it is said to carry")
    func bandwidth() throws {
        var configuration = InMemoryLinkConfiguration()
        configuration.bytesPerSecond = 125_000
        let ends = Ends(configuration)
        defer { ends.driver.stop() }
        let stream = try ends.link.client.openUnidirectionalStream(priority: .default)
        try stream.write(Bytes(pattern(1_000_000)))
        ends.driver.advance(by: .seconds(1))
        #expect((100_000...125_000).contains(ends.server.onlyReader?.bytes.count ?? 0))
        #expect(stream.queuedByteCount >= 870_000)
    }

    @Test("the same seed gives the same run, another seed another one")
    func determinism() throws {
        func run(seed: UInt64) throws -> (lost: UInt64, finished: LoopInstant) {
            var configuration = InMemoryLinkConfiguration()
            configuration.loss = 0.2
            configuration.seed = seed
            let ends = Ends(configuration)
            defer { ends.driver.stop() }
            for _ in 0..<20 {
                let stream = try ends.link.client.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(pattern(20_000)))
                try stream.finish()
            }
            #expect(ends.driver.advanceUntilIdle())
            #expect(ends.server.readers.count == 20)
            #expect(ends.server.readers.values.allSatisfy { $0.isFinished && $0.bytes == pattern(20_000) })
            return (ends.link.client.statistics.path?.packetsLost ?? 0, ends.driver.now)
        }
        let first = try run(seed: 1)
        let second = try run(seed: 1)
        let third = try run(seed: 2)
        #expect(first == second)
        #expect(first.lost > 20)
        #expect(first != third)
    }

    @Test("the end arrives even when nearly everything is lost")
    func lossyEnd() throws {
        var configuration = InMemoryLinkConfiguration()
        configuration.loss = 0.9
        let ends = Ends(configuration)
        defer { ends.driver.stop() }
        ends.link.client.close(code: 3, reason: "bye")
        #expect(ends.driver.advanceUntilIdle())
        #expect(ends.server.closes == [WebTransportCloseInfo(origin: .peer, code: 3, reason: "bye")])
    }

    @Test("a cut link ends both sessions with the cause")
    func sever() throws {
        let ends = Ends(InMemoryLinkConfiguration())
        defer { ends.driver.stop() }
        let stream = try ends.link.client.openUnidirectionalStream(priority: .default)
        try stream.write(Bytes(pattern(100)))
        ends.driver.advance(by: .milliseconds(20))
        ends.link.sever(.idleTimeout)
        for peer in [ends.client, ends.server] {
            #expect(peer.closes == [WebTransportCloseInfo(origin: .transport(.idleTimeout))])
            #expect(peer.session.statistics.streamsLive == 0)
        }
        #expect(ends.server.onlyReader?.sessionCloses == 1)
        #expect(ends.driver.advanceUntilIdle())
    }

    @Test("a link without datagrams says so")
    func noDatagrams() {
        var configuration = InMemoryLinkConfiguration()
        configuration.maximumDatagramSize = 0
        let ends = Ends(configuration)
        defer { ends.driver.stop() }
        #expect(ends.link.client.maximumDatagramSize == 0)
        #expect {
            try ends.link.client.sendDatagram([1])
        } throws: { error in
            (error as? WebTransportError)?.code == .datagramsUnsupported
        }
    }

    @Test("nothing is left of a link that is dropped")
    func release() throws {
        weak var client: InMemoryWebTransport?
        weak var stream: SendStream?
        do {
            let ends = Ends(InMemoryLinkConfiguration())
            defer { ends.driver.stop() }
            client = ends.link.client
            let opened = try ends.link.client.openBidirectionalStream(priority: .default)
            stream = opened.send
            try opened.send.write(Bytes(pattern(10_000)))
            ends.driver.advance(by: .milliseconds(50))
            #expect(client != nil && stream != nil)
            ends.link.client.close(code: 0, reason: "")
            ends.link.server.close(code: 0, reason: "")
            #expect(ends.driver.advanceUntilIdle())
        }
        #expect(client == nil)
        #expect(stream == nil)
    }
}
