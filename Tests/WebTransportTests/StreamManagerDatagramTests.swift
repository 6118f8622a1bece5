// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("The stream manager's datagrams", .timeLimit(.minutes(1)))
struct StreamManagerDatagramTests {
    @Test("datagrams that are late or do not fit any more do not hold up the next")
    func datagrams() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        try session.sendDatagram([1])
        session.backend.currentTime = 1_000_001
        try session.sendDatagram([2])
        #expect(session.takeDatagram(maximum: 100) == [2])
        #expect(session.statistics.datagramsDroppedLate == 1)
        try session.sendDatagram(Bytes([UInt8](repeating: 3, count: 900)))
        try session.sendDatagram([4])
        #expect(session.manager.prepareDatagram(maximum: 100) == .doesNotFit)
        session.backend.maximumDatagramSize = 500
        #expect(session.takeDatagram(maximum: 100) == [4])
        #expect(session.statistics.datagramsDroppedOversize == 1)
        #expect(session.manager.prepareDatagram(maximum: 100) == .nothing)
        #expect(session.backend.calls == [.datagrams, .datagrams])
    }

    @Test("a datagram that never fits is given up")
    func misfit() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        try session.sendDatagram(Bytes([UInt8](repeating: 3, count: 900)))
        try session.sendDatagram([4])
        var asked = 0
        while session.manager.prepareDatagram(maximum: 100) == .doesNotFit, asked < 1_000 { asked += 1 }
        #expect(asked < 1_000)
        #expect(session.takeDatagram(maximum: 100) == [4])
    }

    @Test("what goes first goes first, and a datagram that does not fit is given up for its own misfits alone")
    func order() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        try session.sendDatagram(Bytes([UInt8](repeating: 3, count: 900)))
        for _ in 0..<60 { #expect(session.manager.prepareDatagram(maximum: 100) == .doesNotFit) }
        let urgent = DatagramOrder(rank: 1)
        try session.sendDatagram(Bytes([UInt8](repeating: 4, count: 900)), lifetime: nil, order: urgent)
        for _ in 0..<60 { #expect(session.manager.prepareDatagram(maximum: 100) == .doesNotFit) }
        #expect(session.takeDatagram(maximum: 900)?.first == 4)
        #expect(session.takeDatagram(maximum: 900)?.first == 3)
        #expect(session.statistics.datagramsDroppedOversize == 0)
    }

    @Test("a peer without datagrams, an empty one, a closed session: each has its error")
    func datagramErrors() {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        func code(_ bytes: Bytes) -> WebTransportError.Code? {
            do throws(WebTransportError) {
                try session.sendDatagram(bytes)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code([]) == .invalidState)
        #expect(code(Bytes([UInt8](repeating: 0, count: 1_001))) == .datagramTooLarge)
        session.backend.maximumDatagramSize = 0
        #expect(code([1]) == .datagramsUnsupported)
        session.close(code: 0, reason: "")
        #expect(code([1]) == .sessionClosed)
    }

    @Test("of a million datagrams that nobody sends, the queue keeps its bound and counts the others")
    func flood() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let total = 1_000_000
        let datagram = Bytes([UInt8](repeating: 1, count: 100))
        for _ in 0..<total { try session.sendDatagram(datagram) }
        let bound = session.manager.configuration.datagramQueueCount
        #expect(session.statistics.datagramsQueued == bound)
        #expect(session.statistics.datagramsDroppedFull == UInt64(total - bound))
        // The transport was told once: there was always something to send.
        #expect(session.backend.calls == [.datagrams])
    }

    @Test("a datagram of two parts leaves as one, however long its header is", arguments: [0, 1, 56, 57, 300])
    func twoParts(headerCount: Int) throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let header = (0..<headerCount).map { UInt8(truncatingIfNeeded: $0) }
        let payload: Bytes = [201, 202, 203]
        func send(_ payload: Bytes) throws {
            try unsafe session.manager.sendDatagram(
                header: header.span.bytes,
                payload: payload,
                lifetime: nil,
                order: DatagramOrder()
            )
        }
        try send(payload)
        #expect(session.statistics.datagramBytesQueued == headerCount + 3)
        #expect(session.takeDatagram(maximum: 1_000) == header + [201, 202, 203])
        #expect(session.statistics.datagramBytesQueued == 0)
        try send(payload)
        #expect(session.manager.takeDatagram()?.array == header + [201, 202, 203])
        // Both parts count for the size.
        try send(Bytes([UInt8](repeating: 1, count: 1_000 - headerCount)))
        #expect(session.takeDatagram(maximum: 1_000)?.count == 1_000)
        #expect(throws: WebTransportError.self) { try send(Bytes([UInt8](repeating: 1, count: 1_001 - headerCount))) }
    }

    @Test("a transport that knows no datagrams of two parts gets them in one")
    func joined() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let header: Bytes = [1, 2]
        try session.sendDatagram(header: header.span, payload: [3], lifetime: nil, order: DatagramOrder())
        #expect(session.takeDatagram(maximum: 100) == [1, 2, 3])
    }
}
