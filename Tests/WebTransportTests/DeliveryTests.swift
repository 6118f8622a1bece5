// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("How the stream manager hands things over")
struct DeliveryTests {
    /// Notes where in memory it was given bytes.
    private final class PlaceReader: ReceiveStreamReader {
        var places: [UInt] = []

        func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
            self.places.append(Self.place(of: bytes))
            return bytes.byteCount
        }

        func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {}
        func receiveStreamSessionClosed(_ stream: ReceiveStream) {}

        static func place(of bytes: RawSpan) -> UInt {
            unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        }
    }

    @Test("bytes reach a reader where the transport has them, without a copy")
    func noCopy() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        let reader = PlaceReader()
        recorder.onOpen = { $0.reader = reader }
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(StreamID(rawValue: 3)))
        // The first ones come with the announcement, the others find the reader in place.
        let pieces = (0..<4).map { _ in Bytes([UInt8](repeating: 1, count: 1_000)) }
        for piece in pieces {
            session.manager.received(piece.span, isFinished: false, on: token)
        }
        #expect(reader.places == pieces.map { PlaceReader.place(of: $0.span) })
    }

    @Test("datagrams that nobody takes are dropped and counted, those before the first handler are kept within bounds")
    func unclaimedDatagrams() {
        var configuration = WebTransportConfiguration()
        configuration.datagramQueueCount = 2
        let session = FakeSession(configuration)
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        for size in 1...3 {
            session.manager.receivedDatagram(Bytes([UInt8](repeating: 0, count: size)).span)
        }
        #expect(session.statistics.datagramsUnclaimed == 1)
        session.handler = recorder
        #expect(recorder.events == ["datagram 2", "datagram 3"])
        session.manager.receivedDatagram(Bytes([1]).span)
        #expect(recorder.events.last == "datagram 1")
        session.handler = nil
        session.manager.receivedDatagram(Bytes([1]).span)
        #expect(session.statistics.datagramsUnclaimed == 2)
        #expect(session.statistics.datagramsReceived == 3)
    }

    @Test("a datagram that the transport made no room for stays at the head of the queue")
    func refusedDatagram() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        try session.sendDatagram([1, 1])
        try session.sendDatagram([2])
        #expect(session.manager.prepareDatagram(maximum: 100) == .ready(count: 2, isLast: false))
        let isTaken = unsafe session.manager.takeDatagram(into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        #expect(!isTaken)
        #expect(session.statistics.datagramsQueued == 2)
        #expect(session.statistics.datagramsSent == 0)
        #expect(session.takeDatagram(maximum: 100) == [1, 1])
        #expect(session.manager.prepareDatagram(maximum: 100) == .ready(count: 1, isLast: true))
        #expect(session.takeDatagram(maximum: 100) == [2])
        #expect(session.statistics.datagramsSent == 2)
    }
}
