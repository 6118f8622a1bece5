// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Transports hold back what nobody reads", .timeLimit(.minutes(1)))
struct FlowConformance {
    @Test("a paused stream stops its sender at the window, and resumes", arguments: TransportKind.allCases)
    func pause(kind: TransportKind) async throws {
        let window = 100_000
        let payload = pattern(700_000, seed: 5)
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = window
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                peer.onOpen = { _, stream, _ in stream.pause() }
            }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                peer.streams["a"] = stream
                try stream.write(Bytes(payload))
                try stream.finish()
            }
            try await pair.until(.server, "a full window") { peer in
                guard let id = peer.opened.first else { return false }
                return peer.receiving[String(id.rawValue)]?.bufferedByteCount == window
            }
            // Another stream still gets through, which also gives the first one time to overrun.
            try await pair.server { $0.onOpen = nil }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(utf8: "passing"))
                try stream.finish()
            }
            try await pair.until(.server, "the other stream") { peer in
                peer.opened.count == 2 && peer.readers[peer.opened[1]]?.isFinished == true
            }
            try await pair.client { peer in
                #expect(peer.streams["a"]?.bytesTaken == UInt64(window))
                #expect(peer.streams["a"]?.queuedByteCount == 700_000 - window)
            }
            try await pair.server { peer in
                let id = try #require(peer.opened.first)
                #expect(peer.session.statistics.bufferedByteCount == window)
                #expect(peer.readers[id]?.deliveries == 0)
                peer.receiving[String(id.rawValue)]?.resume()
            }
            try await pair.until(.server, "the end") { $0.onlyReader?.isFinished == true }
            try await pair.server { #expect($0.onlyReader?.bytes == payload) }
        }
    }

    @Test("all streams together keep to the session's window", arguments: TransportKind.allCases)
    func sessionWindow(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = 100_000
        configuration.server.sessionReceiveWindow = 150_000
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                peer.onOpen = { _, stream, _ in stream.pause() }
            }
            try await pair.client { peer in
                for number in 0..<4 {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    try stream.write(Bytes(pattern(80_000, seed: UInt64(number))))
                    try stream.finish()
                }
            }
            try await pair.until(.server, "a full window") { $0.session.statistics.bufferedByteCount == 150_000 }
            try await pair.client { #expect($0.session.statistics.streamBytesTaken == 150_000) }
            try await pair.server { peer in
                peer.onOpen = nil
                for stream in peer.receiving.values { stream.resume() }
            }
            try await pair.until(.server, "all ends") { peer in
                peer.opened.count == 4 && peer.readers.values.allSatisfy(\.isFinished)
            }
            try await pair.server { peer in
                for (id, reader) in peer.readers { #expect(reader.bytes == pattern(80_000, seed: id.rawValue >> 2)) }
                #expect(peer.session.statistics.bufferedByteCount == 0)
            }
        }
    }

    @Test("a stream without a reader keeps a window and no more", arguments: TransportKind.allCases)
    func noReader(kind: TransportKind) async throws {
        let payload = pattern(60_000, seed: 9)
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = 20_000
        try await kind.withPair(configuration) { pair in
            try await pair.server { $0.installsReaders = false }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(payload))
                try stream.finish()
            }
            try await pair.until(.server, "a full window") { $0.session.statistics.bufferedByteCount == 20_000 }
            try await pair.server { peer in
                let id = try #require(peer.opened.first)
                let reader = RecordingReader()
                peer.readers[id] = reader
                peer.receiving[String(id.rawValue)]?.reader = reader
                #expect(reader.bytes == Array(payload.prefix(20_000)))
            }
            try await pair.until(.server, "the end") { $0.onlyReader?.isFinished == true }
            try await pair.server { #expect($0.onlyReader?.bytes == payload) }
        }
    }

    @Test("watermarks tell a writer when to stop and when to go on", arguments: TransportKind.allCases)
    func watermarks(kind: TransportKind) async throws {
        let total = 400_000
        var configuration = PairConfiguration()
        configuration.client.streamHighWatermark = 40_000
        configuration.client.streamLowWatermark = 10_000
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                let delegate = RecordingDelegate()
                peer.streams["a"] = stream
                peer.delegates["a"] = delegate
                stream.delegate = delegate
                let payload = Bytes(pattern(total, seed: 2))
                var written = 0
                func fill(_ stream: SendStream) {
                    while written < total, !stream.isAboveHighWatermark {
                        let part = payload.slice(written..<min(written + 9_000, total))
                        written += part.count
                        #expect(throws: Never.self) { try stream.write(part) }
                        if written == total { try? stream.finish() }
                    }
                }
                delegate.onDrain = { stream in
                    #expect(stream.queuedByteCount <= 10_000)
                    fill(stream)
                }
                fill(stream)
                #expect(stream.isAboveHighWatermark)
                #expect(stream.queuedByteCount == 45_000)
            }
            try await pair.until(.server, "the end") { $0.onlyReader?.isFinished == true }
            try await pair.server { #expect($0.onlyReader?.bytes == pattern(total, seed: 2)) }
            try await pair.client { peer in
                #expect(peer.session.statistics.maximumQueuedByteCount <= 49_000)
                #expect((peer.delegates["a"]?.drains ?? 0) >= 10)
                // Marked again only when it had run dry, not for every write.
                #expect(peer.session.statistics.activations <= 3)
            }
            try await pair.until(.client, "completion") { $0.delegates["a"]?.completions == 1 }
            try await pair.client { #expect($0.streams["a"]?.isDelivered == true) }
        }
    }

    @Test("the session's watermark holds back all its streams", arguments: TransportKind.allCases)
    func sessionWatermark(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.client.sessionHighWatermark = 100_000
        configuration.client.sessionLowWatermark = 30_000
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                let busy = try peer.session.openUnidirectionalStream(priority: .default)
                let idle = try peer.session.openUnidirectionalStream(priority: .default)
                let delegate = RecordingDelegate()
                peer.delegates["idle"] = delegate
                peer.streams["idle"] = idle
                idle.delegate = delegate
                try busy.write(Bytes(pattern(120_000)))
                #expect(idle.isAboveHighWatermark)
                delegate.onDrain = { stream in
                    #expect(!stream.isAboveHighWatermark)
                    try? stream.write(Bytes(utf8: "now"))
                    try? stream.finish()
                }
            }
            try await pair.until(.server, "the stream that waited") { peer in
                peer.readers.values.contains { $0.bytes == Array("now".utf8) && $0.isFinished }
            }
        }
    }

    @Test("a more urgent stream overtakes", arguments: TransportKind.lossless)
    func priority(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, stream, _ in
                    peer.readers[stream.id]?.onReceive = { stream in
                        if peer.readers[stream.id]?.isFinished == true {
                            peer.datagrams.append([UInt8(stream.id.rawValue)])
                        }
                    }
                }
            }
            try await pair.client { peer in
                for (name, value) in [("a", 9), ("b", 11), ("c", 13)] {
                    let stream = try peer.session.openUnidirectionalStream(
                        priority: StreamPriority(rawValue: UInt8(value))
                    )
                    peer.streams[name] = stream
                    try stream.write(Bytes(pattern(50_000)))
                    try stream.finish()
                }
                // The last becomes the first.
                peer.streams["c"]?.priority = StreamPriority(rawValue: 5)
            }
            try await pair.until(.server, "all ends") { $0.datagrams.count == 3 }
            try await pair.server { #expect($0.datagrams == [[10], [2], [6]]) }
        }
    }

    @Test(
        "streams that are reset or stopped use up neither windows nor stream limits",
        arguments: TransportKind.allCases
    )
    func abandonedStreams(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = 50_000
        configuration.server.sessionReceiveWindow = 200_000
        configuration.server.maximumIncomingUnidirectionalStreams = 8
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                // Every second stream is stopped at its first bytes, with most of it still on the way.
                peer.onOpen = { peer, stream, _ in
                    guard stream.id.rawValue >> 2 & 1 == 1, stream.id.rawValue >> 2 < 30 else { return }
                    peer.readers[stream.id]?.onReceive = { stream in stream.stopSending(code: 2) }
                }
            }
            for round in 0..<30 {
                let isReset = round % 2 == 0
                let id = try await pair.client { peer in
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    peer.streams["a"] = stream
                    try stream.write(Bytes(pattern(45_000)))
                    return stream.id
                }
                try await pair.until(.server, "some of stream \(id)") { peer in
                    peer.readers[id].map { !$0.bytes.isEmpty } ?? false
                }
                if isReset {
                    try await pair.client { $0.streams["a"]?.reset(code: 1) }
                    try await pair.until(.server, "the reset of stream \(id)") { $0.readers[id]?.isOver == true }
                } else {
                    try await pair.until(.client, "the stop of stream \(id)") { $0.streams["a"]?.isReset == true }
                }
            }
            let payload = pattern(900_000, seed: 8)
            let last = try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(payload))
                try stream.finish()
                return stream.id
            }
            try await pair.until(.server, "the last stream") { $0.readers[last]?.isFinished == true }
            try await pair.server { peer in
                #expect(peer.readers[last]?.bytes == payload)
                #expect(peer.session.statistics.bufferedByteCount == 0)
            }
        }
    }
}
