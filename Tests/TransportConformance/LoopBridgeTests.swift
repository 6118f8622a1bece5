// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("A bridge between loops", .timeLimit(.minutes(1)))
struct LoopBridgeTests {
    /// Two loops that the test drives one by one, with the ends of a bridge.
    private struct Ends {
        let drivers = ["left", "right"].map { ManualLoopDriver(loop: ManualLoopDriver.makeLoop(label: $0)) }
        let ends: [LoopBridge.End]
        let peers: [Peer]

        init(_ configuration: LoopBridge.Configuration = LoopBridge.Configuration(), isConnected: Bool = true) {
            let bridge = LoopBridge(configuration: configuration)
            self.ends = [
                bridge.makeEnd(.client, on: self.drivers[0].loop), bridge.makeEnd(.server, on: self.drivers[1].loop),
            ]
            self.peers = zip(self.ends, self.drivers).map { Peer(session: $0.session, loop: $1.loop) }
            for peer in self.peers { peer.session.handler = peer }
            if isConnected { self.connect() }
        }

        func connect() {
            self.ends[0].connect(to: self.ends[1].address)
            self.ends[1].connect(to: self.ends[0].address)
        }

        func runUntilIdle() {
            repeat {
                for driver in self.drivers { driver.runUntilIdle() }
            } while self.drivers.contains { $0.loop.hasWork }
        }

        func finish() {
            for peer in self.peers { peer.session.close(code: 0, reason: "") }
            self.runUntilIdle()
            for peer in self.peers { peer.clear() }
        }
    }

    /// Keeps what it reads, in pieces.
    private final class Keeper: ReceiveStreamReader {
        var kept: [Bytes] = []

        func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
            if bytes.byteCount > 0 { self.kept.append(stream.keep(bytes)) }
            return bytes.byteCount
        }

        func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {}

        func receiveStreamSessionClosed(_ stream: ReceiveStream) {}
    }

    private static func address(_ bytes: Bytes) -> Int {
        unsafe bytes.span.withUnsafeBytes { Int(bitPattern: $0.baseAddress) }
    }

    @Test("what happens in one phase crosses in one piece, however many streams and writes it is")
    func oneBatch() throws {
        let ends = Ends()
        ends.runUntilIdle()
        let before = ends.drivers[1].loop.counters.posts
        for number in 0..<50 {
            let stream = try ends.peers[0].session.openUnidirectionalStream(priority: .default)
            for _ in 0..<20 { try stream.write(Bytes(pattern(200, seed: UInt64(number)))) }
            try stream.finish()
        }
        for number in 0..<10 { try ends.peers[0].session.sendDatagram([UInt8(number)]) }
        #expect(ends.drivers[1].loop.counters.posts == before, "nothing leaves before the phase ends")
        ends.drivers[0].runUntilIdle()
        #expect(ends.drivers[1].loop.counters.posts == before + 1)
        ends.runUntilIdle()
        let peer = ends.peers[1]
        #expect(peer.opened.count == 50)
        #expect(peer.datagrams.count == 10)
        for (number, id) in peer.opened.enumerated() {
            let expected = (0..<20).flatMap { _ in pattern(200, seed: UInt64(number)) }
            #expect(peer.readers[id]?.bytes == expected)
            #expect(peer.readers[id]?.isFinished == true)
        }
        ends.finish()
    }

    @Test("what was written is shared, not copied")
    func byReference() throws {
        let ends = Ends()
        let keeper = Keeper()
        ends.peers[1].installsReaders = false
        ends.peers[1].onOpen = { _, stream, _ in stream.reader = keeper }
        let stream = try ends.peers[0].session.openUnidirectionalStream(priority: .default)
        let payload = Bytes(pattern(10_000))
        try stream.write(Bytes([1, 2, 3]))
        try stream.write(payload)
        try stream.write(Bytes([4, 5, 6]))
        ends.runUntilIdle()
        #expect(keeper.kept.map(\.count) == [3, 10_000, 3])
        #expect(Self.address(keeper.kept[1]) == Self.address(payload))
        #expect(keeper.kept[1] == payload)
        // Small pieces are not worth it: they would keep what they were packed with.
        #expect(keeper.kept[0] == [1, 2, 3])
        for number in 0..<100 {
            try stream.write(Bytes([UInt8(number)]))
            ends.runUntilIdle()
        }
        #expect(keeper.kept.dropFirst(3).map(\.array) == (0..<100).map { [UInt8($0)] })
        ends.finish()
    }

    @Test("what is written before the ends are connected waits for it, and so does a close")
    func connectedLate() throws {
        let ends = Ends(isConnected: false)
        let stream = try ends.peers[0].session.openUnidirectionalStream(priority: .default)
        try stream.write(Bytes(utf8: "early"))
        try stream.finish()
        ends.runUntilIdle()
        #expect(ends.peers[1].opened.isEmpty)
        ends.connect()
        ends.runUntilIdle()
        #expect(ends.peers[1].readers[stream.id]?.bytes == Array("early".utf8))
        ends.finish()
        let closed = Ends(isConnected: false)
        closed.peers[0].session.close(code: 7, reason: "early")
        closed.connect()
        closed.runUntilIdle()
        #expect(closed.peers[1].closes.map(\.code) == [7])
        closed.finish()
    }

    @Test("datagrams that the other loop does not come to take wait here, within bounds, and the oldest are dropped")
    func datagramBound() throws {
        var configuration = LoopBridge.Configuration()
        configuration.client.datagramQueueCount = 8
        configuration.server.datagramQueueCount = 8
        let ends = Ends(configuration)
        ends.runUntilIdle()
        for number in 0..<100 {
            try ends.peers[0].session.sendDatagram([UInt8(number)])
            ends.drivers[0].runUntilIdle()
        }
        let figures = ends.peers[0].session.statistics
        #expect(figures.datagramsSent == 8)
        #expect(figures.datagramsQueued == 8)
        #expect(figures.datagramsDroppedFull == 84)
        ends.runUntilIdle()
        #expect(ends.peers[1].datagrams == (Array(0..<8) + Array(92..<100)).map { [UInt8($0)] })
        ends.finish()
    }

    @Test(
        "what the other loop does not come to waits in the queues here beyond a bound, and then all of it arrives in order"
    )
    func streamBound() throws {
        var configuration = LoopBridge.Configuration()
        configuration.maximumBytesUnderWay = 100_000
        let ends = Ends(configuration)
        ends.runUntilIdle()
        var streams: [SendStream] = []
        for number in 0..<10 {
            let stream = try ends.peers[0].session.openUnidirectionalStream(priority: .default)
            try stream.write(Bytes(pattern(60_000, seed: UInt64(number))))
            try stream.finish()
            streams.append(stream)
            ends.drivers[0].runUntilIdle()
        }
        let figures = ends.peers[0].session.statistics.path
        #expect(figures?.congestionWindow == 100_000)
        #expect((100_000...101_000).contains(figures?.bytesInFlight ?? 0))
        #expect((500_000..<502_000).contains(ends.peers[0].session.queuedByteCount))
        ends.runUntilIdle()
        #expect(ends.peers[0].session.queuedByteCount == 0)
        #expect((ends.peers[0].session.statistics.path?.bytesInFlight ?? .max) <= 26_000)
        for (number, stream) in streams.enumerated() {
            #expect(ends.peers[1].readers[stream.id]?.bytes == pattern(60_000, seed: UInt64(number)))
            #expect(ends.peers[1].readers[stream.id]?.isFinished == true)
        }
        ends.finish()
    }

    @Test("a stream whose window is used up holds up no other, and goes on when its reader does")
    func parked() throws {
        var configuration = LoopBridge.Configuration()
        configuration.server.streamReceiveWindow = 10_000
        let ends = Ends(configuration)
        ends.runUntilIdle()
        ends.peers[1].installsReaders = false
        var paused: [ReceiveStream] = []
        ends.peers[1].onOpen = { _, stream, _ in paused.append(stream) }
        let slow = try ends.peers[0].session.openUnidirectionalStream(priority: .default)
        try slow.write(Bytes(pattern(30_000, seed: 1)))
        ends.runUntilIdle()
        #expect(ends.peers[0].session.queuedByteCount == 20_000)
        try slow.finish()
        ends.peers[1].installsReaders = true
        let other = try ends.peers[0].session.openUnidirectionalStream(priority: .default)
        try other.write(Bytes(pattern(30_000, seed: 2)))
        try other.finish()
        ends.runUntilIdle()
        #expect(ends.peers[1].readers[other.id]?.bytes == pattern(30_000, seed: 2))
        #expect(ends.peers[0].session.queuedByteCount == 20_000)
        let keeper = Keeper()
        paused.first?.reader = keeper
        ends.runUntilIdle()
        #expect(keeper.kept.flatMap(\.array) == pattern(30_000, seed: 1))
        #expect(ends.peers[0].session.queuedByteCount == 0)
        ends.finish()
    }

    @Test("when the other loop has stopped, or nobody keeps the other end, the session ends")
    func otherGone() throws {
        let stopped = Ends()
        stopped.runUntilIdle()
        stopped.drivers[1].stop()
        try stopped.peers[0].session.sendDatagram([1])
        stopped.drivers[0].runUntilIdle()
        #expect(stopped.peers[0].closes.map(\.origin) == [.transport(.aborted)])

        let driver = ManualLoopDriver(loop: ManualLoopDriver.makeLoop())
        let bridge = LoopBridge()
        let kept = bridge.makeEnd(.client, on: driver.loop)
        let peer = Peer(session: kept.session, loop: driver.loop)
        kept.session.handler = peer
        do {
            let dropped = bridge.makeEnd(.server, on: driver.loop)
            kept.connect(to: dropped.address)
            dropped.connect(to: kept.address)
            driver.runUntilIdle()
        }
        driver.runUntilIdle()
        #expect(peer.closes.map(\.origin) == [.transport(.aborted)])
        peer.clear()
    }
}
