// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Transports at their limits", .timeLimit(.minutes(1)))
struct LimitConformance {
    @Test("with bounds out of reach nothing holds a sender back", arguments: TransportKind.allCases)
    func unlimited(kind: TransportKind) async throws {
        // More than the default windows of a stream and of a session.
        let total = 10_000_000
        let huge = 1 << 40
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = huge
        configuration.server.sessionReceiveWindow = huge
        configuration.client.streamHighWatermark = huge
        configuration.client.sessionHighWatermark = huge
        try await kind.withPair(configuration) { pair in
            try await pair.server { $0.installsReaders = false }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(pattern(total)))
                #expect(!stream.isAboveHighWatermark)
            }
            try await pair.until(.server, "everything, unread") { $0.session.statistics.bufferedByteCount == total }
        }
    }

    @Test("a blocked stream of the highest priority does not hold back the others", arguments: TransportKind.allCases)
    func blockedFirst(kind: TransportKind) async throws {
        let window = 20_000
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = window
        try await kind.withPair(configuration) { pair in
            try await pair.server { $0.onOpen = { _, stream, _ in stream.pause() } }
            try await pair.client { peer in
                let urgent = try peer.session.openUnidirectionalStream(priority: .control)
                peer.streams["urgent"] = urgent
                try urgent.write(Bytes(pattern(200_000)))
            }
            try await pair.until(.server, "a full window") { $0.session.statistics.bufferedByteCount == window }
            try await pair.server { $0.onOpen = nil }
            try await pair.client { peer in
                for number in 0..<3 {
                    let stream = try peer.session.openUnidirectionalStream(
                        priority: StreamPriority(rawValue: UInt8(21 + 2 * number))
                    )
                    try stream.write(Bytes(pattern(500_000, seed: UInt64(number))))
                    try stream.finish()
                }
            }
            try await pair.until(.server, "the others") { peer in
                peer.opened.count == 4 && peer.opened.dropFirst().allSatisfy { peer.readers[$0]?.isFinished == true }
            }
            try await pair.client { #expect($0.streams["urgent"]?.bytesTaken == UInt64(window)) }
        }
    }

    @Test("bidirectional streams beyond the peer's limit wait for it", arguments: TransportKind.allCases)
    func bidirectionalLimit(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.server.maximumIncomingBidirectionalStreams = 4
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, stream, send in
                    peer.readers[stream.id]?.onReceive = { stream in
                        guard peer.readers[stream.id]?.isFinished == true else { return }
                        try? send?.write(Bytes(utf8: "answer"))
                        try? send?.finish()
                    }
                }
            }
            try await pair.client { peer in
                for number in 0..<20 {
                    let stream = try peer.session.openBidirectionalStream(priority: .default)
                    let reader = RecordingReader()
                    stream.receive.reader = reader
                    peer.readers[stream.send.id] = reader
                    peer.streams[String(number)] = stream.send
                    try stream.send.write(Bytes([UInt8(number)]))
                }
            }
            try await pair.until(.server, "the streams that are allowed") { $0.opened.count == 4 }
            // The way of another stream is time enough for a fifth that does not wait.
            try await pair.client { peer in
                let probe = try peer.session.openUnidirectionalStream(priority: StreamPriority(rawValue: 201))
                try probe.write(Bytes(utf8: "probe"))
                try probe.finish()
            }
            try await pair.until(.server, "the other stream") { peer in
                peer.opened.contains { $0.isUnidirectional && peer.readers[$0]?.isFinished == true }
            }
            try await pair.server { #expect($0.opened.count == 5) }
            try await pair.client { peer in
                for stream in peer.streams.values { try stream.finish() }
            }
            try await pair.until(.client, "all answers") { peer in
                peer.readers.count == 20
                    && peer.readers.values.allSatisfy { $0.isFinished && $0.bytes == Array("answer".utf8) }
            }
        }
    }

    @Test("ten thousand streams are open at once, with numbers in steps of four")
    func tenThousand() async throws {
        let count = 10_000
        var configuration = PairConfiguration()
        configuration.server.maximumIncomingUnidirectionalStreams = count
        try await TransportKind.rawQUIC.withPair(configuration) { pair in
            try await pair.client { peer in
                for number in 0..<count {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    #expect(stream.id.rawValue == UInt64(number) * 4 + 2)
                    peer.streams[String(number)] = stream
                    try stream.write(Bytes([UInt8(truncatingIfNeeded: number)]))
                }
            }
            try await pair.until(.server, "all of them") { $0.opened.count == count }
            try await pair.server { #expect($0.session.statistics.streamsLive == count) }
            try await pair.client { peer in
                for number in 0..<count { try peer.streams[String(number)]?.finish() }
            }
            try await pair.until(.server, "all ends") { $0.session.statistics.streamsLive == 0 }
            try await pair.server { peer in
                for (id, reader) in peer.readers {
                    #expect(reader.isFinished)
                    #expect(reader.bytes == [UInt8(truncatingIfNeeded: id.rawValue >> 2)])
                }
            }
        }
    }
}
