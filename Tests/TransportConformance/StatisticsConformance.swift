// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Transports count what they do", .timeLimit(.minutes(1)))
struct StatisticsConformance {
    /// Whether the figures of a session agree with each other.
    private static func expectBalance(
        _ figures: WebTransportStatistics,
        _ what: Comment,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            figures.streamBytesWritten
                == figures.streamBytesTaken + figures.streamBytesDropped + UInt64(figures.queuedByteCount),
            what,
            sourceLocation: sourceLocation
        )
        #expect(
            figures.streamBytesReceived == figures.streamBytesConsumed + UInt64(figures.bufferedByteCount),
            what,
            sourceLocation: sourceLocation
        )
        let dropped =
            figures.datagramsDroppedFull + figures.datagramsDroppedLate + figures.datagramsDroppedOversize
            + figures.datagramsDroppedClosed
        #expect(
            figures.datagramsAccepted == figures.datagramsSent + dropped + UInt64(figures.datagramsQueued),
            what,
            sourceLocation: sourceLocation
        )
        #expect(
            figures.streamsOpened + figures.streamsAccepted == figures.streamsRetired + UInt64(figures.streamsLive),
            what,
            sourceLocation: sourceLocation
        )
    }

    @Test("bytes, streams and datagrams add up, in use and after the end", arguments: TransportKind.allCases)
    func balance(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = 50_000
        configuration.client.datagramQueueCount = 8
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                // The first stream is not read: its window stays closed.
                peer.onOpen = { peer, stream, _ in if peer.opened.count == 1 { stream.pause() } }
            }
            try await pair.client { peer in
                let stuck = try peer.session.openUnidirectionalStream(priority: .default)
                peer.streams["stuck"] = stuck
                try stuck.write(Bytes(pattern(80_000)))
                for number in 0..<12 { try peer.session.sendDatagram(Bytes([UInt8(number), 1, 2])) }
                let queued = peer.session.statistics
                #expect(queued.streamBytesWritten == 80_000)
                #expect(queued.queuedByteCount == 80_000)
                #expect(queued.maximumQueuedByteCount == 80_000)
                #expect(queued.datagramsAccepted == 12)
                #expect(queued.datagramsDroppedFull == 4)
                #expect(queued.datagramsQueued == 8)
                #expect(queued.datagramBytesQueued == 24)
                #expect(queued.maximumDatagramsQueued == 8)
                Self.expectBalance(queued, "queued")
            }
            try await pair.until(.server, "a full window") { $0.session.statistics.bufferedByteCount == 50_000 }
            try await pair.client { peer in
                let whole = try peer.session.openUnidirectionalStream(priority: .default)
                try whole.write(Bytes(pattern(30_000)))
                try whole.finish()
            }
            try await pair.until(.server, "the other stream") { $0.session.statistics.streamsRetired == 1 }
            try await pair.until(.client, "the datagrams on their way") { $0.session.statistics.datagramsQueued == 0 }
            try await pair.client { peer in
                let held = peer.session.statistics
                #expect(held.streamBytesTaken == 80_000)
                #expect(held.queuedByteCount == 30_000)
                #expect(held.datagramsSent == 8)
                Self.expectBalance(held, "held back")
                peer.streams["stuck"]?.reset(code: 1)
                #expect(peer.session.statistics.streamBytesDropped == 30_000)
                Self.expectBalance(peer.session.statistics, "after a reset")
                let rest = try peer.session.openUnidirectionalStream(priority: .default)
                try rest.write(Bytes(pattern(1_000)))
                try peer.session.sendDatagram([1])
                peer.session.close(code: 0, reason: "")
                let ended = peer.session.statistics
                #expect(ended.streamsLive == 0)
                #expect(ended.streamBytesDropped == 31_000)
                #expect(ended.datagramsDroppedClosed == 1)
                Self.expectBalance(ended, "after the end")
            }
            try await pair.until(.server, "the end") { $0.closes.count == 1 }
            try await pair.server { peer in
                let ended = peer.session.statistics
                #expect(ended.streamsAccepted == 2)
                #expect(ended.streamsLive == 0)
                #expect(ended.bufferedByteCount == 0)
                Self.expectBalance(ended, "the other end")
                let path = try #require(ended.path)
                #expect(path.packetsReceived > 0)
                #expect(path.bytesReceived > 80_000)
                #expect(path.smoothedRoundTrip > .zero || kind == .bridge)
            }
        }
    }

    @Test("a sum over sessions adds amounts, and keeps the least and the largest of what cannot be added")
    func sum() {
        var first = WebTransportStatistics()
        first.streamsOpened = 2
        first.streamBytesWritten = 10
        first.maximumQueuedByteCount = 7
        first.waitsBegun = 4
        first.waitsEnded = 1
        first.path = WebTransportPathStatistics()
        first.path?.minimumRoundTrip = .milliseconds(5)
        first.path?.smoothedRoundTrip = .milliseconds(6)
        first.path?.bytesSent = 100
        first.path?.congestionWindow = 1_000
        var second = WebTransportStatistics()
        second.streamsOpened = 3
        second.streamBytesWritten = 5
        second.maximumQueuedByteCount = 4
        second.waitsBegun = 3
        second.waitsEnded = 2
        second.path = WebTransportPathStatistics()
        second.path?.minimumRoundTrip = .milliseconds(2)
        second.path?.smoothedRoundTrip = .milliseconds(3)
        second.path?.bytesSent = 11
        second.path?.congestionWindow = 500
        var sum = WebTransportStatistics()
        sum.add(first.totals)
        sum.add(second)
        #expect(sum.streamsOpened == 5)
        #expect(sum.streamBytesWritten == 15)
        #expect(sum.maximumQueuedByteCount == 7)
        // Nobody waits for a session that has ended.
        #expect(sum.waitsBegun == 7)
        #expect(sum.waitsLive == 1)
        #expect(sum.path?.minimumRoundTrip == .milliseconds(2))
        #expect(sum.path?.smoothedRoundTrip == .milliseconds(6))
        #expect(sum.path?.bytesSent == 111)
        // Only what lives has a window.
        #expect(sum.path?.congestionWindow == 500)
    }
}
