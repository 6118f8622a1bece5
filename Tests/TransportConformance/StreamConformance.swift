// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransport

@Suite("Transports carry streams", .timeLimit(.minutes(1)))
struct StreamConformance {
    @Test(
        "a unidirectional stream arrives byte for byte",
        arguments: TransportKind.allCases,
        [WebTransportRole.client, .server]
    )
    func unidirectional(kind: TransportKind, sender: WebTransportRole) async throws {
        let receiver: WebTransportRole = sender == .client ? .server : .client
        let payload = pattern(300_000)
        try await kind.withPair { pair in
            let id = try await pair.on(sender) { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                // Small pieces, large pieces and pieces by reference, in one order.
                var rest = Bytes(payload)
                for size in [1, 7, 95, 97, 500, 2_000, 65_000] {
                    try stream.write(rest.prefix(size))
                    rest = rest.dropFirst(size)
                    try stream.write(copying: rest.prefix(size).span)
                    rest = rest.dropFirst(size)
                    let part = rest.prefix(size)
                    try stream.write { array in part.append(to: &array) }
                    rest = rest.dropFirst(size)
                }
                try stream.write(rest)
                try stream.finish()
                return stream.id
            }
            try await pair.until(receiver, "the end of the stream") { $0.onlyReader?.isFinished == true }
            try await pair.on(receiver) { peer in
                #expect(peer.opened == [id])
                #expect(peer.onlyReader?.bytes == payload)
                #expect(peer.onlyReader?.finishes == 1)
                #expect(id.isUnidirectional)
                #expect(id.isInitiated(by: sender))
            }
            try await pair.until(sender, "no live stream at the sender") { $0.session.statistics.streamsLive == 0 }
            try await pair.on(sender) { peer in
                #expect(peer.session.statistics.streamBytesTaken == 300_000)
                #expect(peer.session.queuedByteCount == 0)
            }
        }
    }

    @Test("a stream that is reset when all was acknowledged loses nothing", arguments: TransportKind.allCases)
    func resetAfterDelivery(kind: TransportKind) async throws {
        let payload = pattern(200_000)
        try await kind.withPair { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                peer.streams["a"] = stream
                #expect(stream.isAcknowledged)
                try stream.write(Bytes(payload))
                #expect(!stream.isAcknowledged)
            }
            try await pair.until(.client, "the acknowledgement") { $0.streams["a"]?.isAcknowledged == true }
            try await pair.client { peer in
                let stream = try #require(peer.streams["a"])
                #expect(!stream.isClosed && !stream.isDelivered)
                #expect(stream.bytesTaken == 200_000)
                stream.reset(code: 7)
                #expect(!stream.isAcknowledged)
            }
            try await pair.until(.server, "the reset") { $0.onlyReader?.resetCodes == [7] }
            try await pair.server { peer in
                #expect(peer.onlyReader?.bytes == payload)
            }
        }
    }

    @Test("both directions of a bidirectional stream arrive", arguments: TransportKind.allCases)
    func bidirectional(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, stream, send in
                    peer.readers[stream.id]?.onReceive = { _ in
                        guard let reader = peer.readers[stream.id], reader.isFinished else { return }
                        try? send?.write(Bytes(reader.bytes))
                        try? send?.finish()
                    }
                }
            }
            try await pair.client { peer in
                let stream = try peer.session.openBidirectionalStream(priority: .default)
                let reader = RecordingReader()
                peer.readers[stream.send.id] = reader
                peer.opened.append(stream.send.id)
                stream.receive.reader = reader
                try stream.send.write(Bytes(pattern(100_000)))
                try stream.send.finish()
            }
            try await pair.until(.client, "the echo") { $0.onlyReader?.isFinished == true }
            try await pair.client { #expect($0.onlyReader?.bytes == pattern(100_000)) }
            try await pair.until(.client, "no live stream") { $0.session.statistics.streamsLive == 0 }
            try await pair.until(.server, "no live stream") { $0.session.statistics.streamsLive == 0 }
        }
    }

    @Test("a stream may be nothing but its end", arguments: TransportKind.allCases)
    func onlyFin(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes())
                try stream.finish()
            }
            try await pair.until(.server, "the end") { $0.onlyReader?.isFinished == true }
            try await pair.server { peer in
                #expect(peer.onlyReader?.bytes == [])
                #expect(peer.onlyReader?.deliveries == 1)
            }
        }
    }

    @Test("the end may come long after the bytes", arguments: TransportKind.allCases)
    func finLater(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                peer.streams["a"] = stream
                try stream.write(Bytes(utf8: "abc"))
            }
            try await pair.until(.server, "the bytes") { $0.onlyReader?.bytes == Array("abc".utf8) }
            try await pair.server { #expect($0.onlyReader?.isFinished == false) }
            try await pair.client { try $0.streams["a"]?.finish() }
            try await pair.until(.server, "the end") { $0.onlyReader?.isFinished == true }
            try await pair.server { #expect($0.onlyReader?.bytes == Array("abc".utf8)) }
        }
    }

    @Test("what a reader leaves is presented again in front of new bytes", arguments: TransportKind.allCases)
    func leftovers(kind: TransportKind) async throws {
        let payload = pattern(20_000, seed: 3)
        try await kind.withPair { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, stream, _ in
                    // Consumes whole records of 700 bytes only.
                    peer.readers[stream.id]?.appetite = { $0 - $0 % 700 }
                }
            }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(payload))
                try stream.finish()
            }
            try await pair.until(.server, "the end") { $0.onlyReader?.isFinished == true }
            try await pair.server { #expect($0.onlyReader?.bytes == payload) }
        }
    }

    @Test("a reset arrives with its code", arguments: TransportKind.allCases, [UInt64(0), 5, 1 << 61])
    func reset(kind: TransportKind, code: UInt64) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                peer.streams["a"] = stream
                try stream.write(Bytes(utf8: "abc"))
            }
            try await pair.until(.server, "the bytes") { $0.onlyReader?.bytes.count == 3 }
            try await pair.client { peer in
                let stream = try #require(peer.streams["a"])
                stream.reset(code: code)
                stream.reset(code: code + 1)
                #expect(stream.isReset)
                #expect(stream.isClosed)
                #expect(throws: WebTransportError.self) { try stream.write(Bytes(utf8: "more")) }
            }
            try await pair.until(.server, "the reset") { $0.onlyReader?.isOver == true }
            try await pair.server { peer in
                #expect(peer.onlyReader?.resetCodes == [code])
                #expect(peer.onlyReader?.isFinished == false)
                #expect(peer.session.statistics.streamsLive == 0)
            }
            try await pair.client { #expect($0.session.statistics.streamsLive == 0) }
        }
    }

    @Test("a reset in place of the first bytes leaves at once, and is answered", arguments: TransportKind.allCases)
    func resetInsideDrain(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                try peer.session.openUnidirectionalStream(priority: .default).write([1])
            }
            // Nothing else must be under way, which would bring the reset along.
            let silence = Silence()
            try await pair.until(.client, "silence") { silence.hasLasted(.milliseconds(200), peer: $0) }
            let begin = try await pair.client { peer in
                let stream = try peer.session.openBidirectionalStream(priority: .default)
                let delegate = RecordingDelegate()
                delegate.onDrain = { $0.reset(code: 9) }
                peer.delegates["b"] = delegate
                stream.send.delegate = delegate
                let reader = RecordingReader()
                peer.readers[stream.send.id] = reader
                peer.opened.append(stream.send.id)
                stream.receive.reader = reader
                try stream.send.write([2])
                return peer.loop.now
            }
            // The peer's handler never hears of such a stream, so its transport gives up the other direction.
            try await pair.until(.client, "the answer") { $0.onlyReader?.resetCodes == [9] }
            // What has to wait for something else to be sent waits for ten seconds here.
            let end = try await pair.client { $0.loop.now }
            #expect(begin.duration(to: end) < .seconds(5))
        }
    }

    @Test("a stop reaches the sender with its code, and the stream is reset", arguments: TransportKind.allCases)
    func stop(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, stream, _ in
                    peer.readers[stream.id]?.onReceive = { stream in stream.stopSending(code: 7) }
                }
            }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                let delegate = RecordingDelegate()
                peer.streams["a"] = stream
                peer.delegates["a"] = delegate
                stream.delegate = delegate
                try stream.write(Bytes(pattern(5_000_000)))
            }
            try await pair.until(.client, "the stop") { $0.delegates["a"]?.stopCodes.isEmpty == false }
            try await pair.client { peer in
                let stream = try #require(peer.streams["a"])
                #expect(peer.delegates["a"]?.stopCodes == [7])
                #expect(peer.delegates["a"]?.completions == 0)
                #expect(stream.isReset)
                #expect(peer.session.queuedByteCount == 0)
                #expect(throws: WebTransportError.self) { try stream.write(Bytes(utf8: "more")) }
                #expect(peer.session.statistics.streamsLive == 0)
            }
            try await pair.server { peer in
                #expect(peer.onlyReader?.deliveries == 1)
                #expect(peer.onlyReader?.isOver == false)
                #expect(peer.session.statistics.streamsLive == 0)
            }
            // The windows were given back: another stream of that size fits.
            try await pair.server { $0.onOpen = nil }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(pattern(2_000_000)))
                try stream.finish()
            }
            try await pair.until(.server, "the second stream") { peer in
                peer.opened.count == 2 && peer.readers[peer.opened[1]]?.isFinished == true
            }
        }
    }

    @Test("a bidirectional stream's directions end independently", arguments: TransportKind.allCases)
    func independentDirections(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                let stream = try peer.session.openBidirectionalStream(priority: .request)
                let reader = RecordingReader()
                let delegate = RecordingDelegate()
                stream.send.delegate = delegate
                stream.receive.reader = reader
                peer.streams["a"] = stream.send
                peer.delegates["a"] = delegate
                peer.readers[stream.send.id] = reader
                peer.opened.append(stream.send.id)
                try stream.send.write(Bytes(utf8: "question"))
            }
            try await pair.until(.server, "the question") { $0.onlyReader?.bytes == Array("question".utf8) }
            try await pair.server { peer in
                let id = try #require(peer.opened.first)
                peer.receiving[String(id.rawValue)]?.stopSending(code: 11)
                try peer.replies[id]?.write(Bytes(utf8: "answer"))
                try peer.replies[id]?.finish()
            }
            try await pair.until(.client, "the answer") { $0.onlyReader?.isFinished == true }
            try await pair.until(.client, "the stop") { $0.delegates["a"]?.stopCodes == [11] }
            try await pair.client { #expect($0.onlyReader?.bytes == Array("answer".utf8)) }
            try await pair.until(.client, "no live stream") { $0.session.statistics.streamsLive == 0 }
            try await pair.until(.server, "no live stream") { $0.session.statistics.streamsLive == 0 }
        }
    }

    @Test("a thousand streams at once all arrive", arguments: TransportKind.allCases)
    func manyStreams(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                var previous: StreamID?
                for number in 0..<1_000 {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    if let previous { #expect(stream.id.rawValue == previous.rawValue + 4) }
                    previous = stream.id
                    try stream.write(Bytes(pattern(200, seed: UInt64(number))))
                    try stream.finish()
                }
            }
            try await pair.until(.server, "all ends") { peer in
                peer.opened.count == 1_000 && peer.readers.values.allSatisfy(\.isFinished)
            }
            try await pair.server { peer in
                #expect(Set(peer.opened).count == 1_000)
                for (id, reader) in peer.readers {
                    #expect(reader.bytes == pattern(200, seed: id.rawValue >> 2))
                }
                #expect(peer.session.statistics.streamsLive == 0)
            }
            try await pair.until(.client, "no live stream") { $0.session.statistics.streamsLive == 0 }
        }
    }

    @Test("streams beyond the peer's limit wait for it", arguments: TransportKind.allCases)
    func streamLimit(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.server.maximumIncomingUnidirectionalStreams = 4
        configuration.client.maximumOutgoingStreams = 20
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                for number in 0..<20 {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    try stream.write(Bytes([UInt8(number)]))
                    peer.streams[String(number)] = stream
                }
                #expect {
                    try peer.session.openUnidirectionalStream(priority: .default)
                } throws: { error in
                    (error as? WebTransportError)?.code == .streamLimit
                }
            }
            try await pair.until(.server, "the streams that are allowed") { $0.opened.count == 4 }
            try await pair.client { peer in
                for stream in peer.streams.values { try stream.finish() }
            }
            try await pair.until(.server, "all streams") { peer in
                peer.opened.count == 20 && peer.readers.values.allSatisfy(\.isFinished)
            }
        }
    }
}
