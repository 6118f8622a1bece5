// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Many datagrams on raw QUIC", .timeLimit(.minutes(2)))
struct DatagramVolumeTests {
    /// What arrived, without keeping it. Confined to the receiver's loop.
    private final class Tally: @unchecked Sendable {
        var count = 0
        var last = -1
        var faults = 0

        /// A datagram is its number, big-endian, and as many bytes behind it as the number says.
        func take(_ datagram: [UInt8]) {
            guard datagram.count >= 4 else {
                self.faults += 1
                return
            }
            let number = datagram[..<4].reduce(0) { $0 << 8 | Int($1) }
            let isWhole = datagram.count == 4 + number % 61
            if number <= self.last || !isWhole { self.faults += 1 }
            self.last = number
            self.count += 1
        }
    }

    @Test("a hundred thousand datagrams arrive whole and in the order in which they were sent")
    func order() async throws {
        let total = 100_000
        let batch = 500
        let tally = Tally()
        try await TransportKind.rawQUIC.withPair { pair in
            try await pair.server { peer in
                peer.onDatagram = { peer, datagram in
                    peer.datagrams = []
                    tally.take(datagram)
                }
            }
            for start in stride(from: 0, to: total, by: batch) {
                try await pair.client { peer in
                    for number in start..<(start + batch) {
                        let head = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
                        try peer.session.sendDatagram(Bytes(head + [UInt8](repeating: 7, count: number % 61)))
                    }
                }
                try await pair.until(.client, "an empty queue") { $0.session.statistics.datagramsQueued == 0 }
            }
            try await pair.client { peer in
                #expect(peer.session.statistics.datagramsSent == UInt64(total))
            }
            // The network may lose some, but it has no reason to lose many. The last one tells that all are through.
            try await pair.until(.server, "nearly all of them") { _ in tally.count >= total * 9 / 10 }
            try await pair.server { _ in #expect(tally.faults == 0) }
        }
    }
}
