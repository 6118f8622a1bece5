// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Request ids")
struct RequestIDTests {
    @Test("Ids of a side have its parity and count by two")
    func parity() {
        var client = RequestIDAllocator(role: .client, limit: nil)
        var server = RequestIDAllocator(role: .server, limit: nil)
        var ids: [UInt64] = []
        for _ in 0..<2 {
            if case .allocated(let id) = client.allocate() { ids.append(id.rawValue) }
            if case .allocated(let id) = server.allocate() { ids.append(id.rawValue) }
        }
        #expect(ids == [0, 1, 2, 3])
        let hasIssued =
            client.hasIssued(RequestID(2)) && !client.hasIssued(RequestID(4)) && !client.hasIssued(RequestID(1))
        #expect(hasIssued)
    }

    @Test("A limit blocks, is announced once, and can be raised")
    func limit() throws {
        var allocator = RequestIDAllocator(role: .client, limit: RequestID(2))
        var steps = [allocator.allocate(), allocator.allocate(), allocator.allocate()]
        #expect(steps == [.allocated(RequestID(0)), .blocked(announce: RequestID(2)), .blocked(announce: nil)])
        try allocator.raise(to: RequestID(3))
        steps = [allocator.allocate(), allocator.allocate()]
        #expect(steps == [.allocated(RequestID(2)), .blocked(announce: RequestID(3))])
    }

    @Test("A limit that does not rise is a violation", arguments: [UInt64(2), 1])
    func raise(limit: UInt64) {
        var allocator = RequestIDAllocator(role: .client, limit: RequestID(2))
        var code: SessionErrorCode?
        do throws(ProtocolViolation) {
            try allocator.raise(to: RequestID(limit))
        } catch {
            code = error.code
        }
        #expect(code == .protocolViolation)
        var unlimited = RequestIDAllocator(role: .client, limit: nil)
        code = nil
        do throws(ProtocolViolation) {
            try unlimited.raise(to: RequestID(100))
        } catch {
            code = error.code
        }
        #expect(code == .protocolViolation)
    }

    private func outcome(
        _ ids: [UInt64],
        peer: Role = .client,
        window: Int? = 4,
        isOrdered: Bool = false
    ) -> SessionErrorCode? {
        var ledger = RequestIDLedger(peer: peer, window: window, isOrdered: isOrdered)
        do throws(ProtocolViolation) {
            for id in ids {
                try ledger.receivedRequest(RequestID(id))
            }
        } catch {
            return error.code
        }
        return nil
    }

    @Test("The peer's ids: parity, duplicates, the limit, and no order")
    func ledger() {
        #expect(self.outcome([0, 2, 4, 6]) == nil)
        #expect(self.outcome([6, 0, 4, 2]) == nil)
        #expect(self.outcome([1]) == .invalidRequestID)
        #expect(self.outcome([0], peer: .server) == .invalidRequestID)
        #expect(self.outcome([0, 0]) == .invalidRequestID)
        #expect(self.outcome([4, 4]) == .invalidRequestID)
        #expect(self.outcome([4, 0, 2, 4]) == .invalidRequestID)
        #expect(self.outcome([8]) == .tooManyRequests)
        #expect(self.outcome([1, 3, 5, 7], peer: .server) == nil)
        #expect(self.outcome([9], peer: .server) == .tooManyRequests)
        #expect(self.outcome([UInt64.max - 1], window: nil) == nil)
    }

    @Test("Where requests cannot overtake each other, ids come in turn")
    func ordered() {
        #expect(self.outcome([0, 2, 4, 6], isOrdered: true) == nil)
        #expect(self.outcome([1, 3, 5], peer: .server, isOrdered: true) == nil)
        #expect(self.outcome([2], isOrdered: true) == .invalidRequestID)
        #expect(self.outcome([0, 2, 2], isOrdered: true) == .invalidRequestID)
        #expect(self.outcome([0, 4], isOrdered: true) == .invalidRequestID)
        #expect(self.outcome([0, 8], isOrdered: true) == .tooManyRequests)
    }

    @Test("The limit rises in steps as requests end")
    func raises() throws {
        var ledger = RequestIDLedger(peer: .client, window: 8)
        #expect(ledger.initialLimit == RequestID(16))
        var raised: [RequestID?] = []
        for _ in 0..<4 {
            raised.append(ledger.requestEnded())
        }
        #expect(raised == [nil, RequestID(20), nil, RequestID(24)])
        try ledger.receivedRequest(RequestID(22))
        let next = ledger.nextUnused
        #expect(next == RequestID(24))
    }

    @Test("Gaps are remembered up to a bound, then count as used")
    func gaps() throws {
        var ledger = RequestIDLedger(peer: .client, window: nil)
        for index in 1...UInt64(RequestIDLedger.maximumRemembered + 1) {
            try ledger.receivedRequest(RequestID(index * 2))
        }
        var code: SessionErrorCode?
        do throws(ProtocolViolation) {
            try ledger.receivedRequest(RequestID(0))
        } catch {
            code = error.code
        }
        #expect(code == .invalidRequestID)
        let hasSeen = ledger.hasSeen(RequestID(2))
        #expect(hasSeen)
    }

    @Test("After the last id there can be, the first ones are not accepted again", arguments: [Role.client, .server])
    func exhaustion(peer: Role) throws {
        let parity: UInt64 = peer == .client ? 0 : 1
        let last = UInt64.max - 1 + parity
        var ledger = RequestIDLedger(peer: peer, window: nil)
        // So many gaps that the lowest of these ids becomes the floor, and from there on none is missing.
        for step in 0...UInt64(RequestIDLedger.maximumRemembered) {
            try ledger.receivedRequest(RequestID(last - 2 * step))
        }
        for id in [parity, parity + 2, last] {
            var code: SessionErrorCode?
            do throws(ProtocolViolation) {
                try ledger.receivedRequest(RequestID(id))
            } catch {
                code = error.code
            }
            #expect(code == .invalidRequestID, "\(id)")
        }
        let hasSeenAll = ledger.hasSeen(RequestID(parity)) && ledger.hasSeen(RequestID(last))
        #expect(hasSeenAll)
    }
}
