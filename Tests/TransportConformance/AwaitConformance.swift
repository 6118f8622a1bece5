// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing
import WebTransport

@Suite("Transports let tasks wait", .timeLimit(.minutes(1)))
struct AwaitConformance {
    @Test("a task reads a stream to its end, byte for byte and never off the loop", arguments: TransportKind.allCases)
    func read(kind: TransportKind) async throws {
        let payload = pattern(500_000, seed: 6)
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = 50_000
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                peer.installsReaders = false
                peer.onOpen = { peer, stream, _ in
                    let id = String(stream.id.rawValue)
                    peer.start { peer in
                        let stream = try #require(peer.receiving[id])
                        while let bytes = try await stream.read(atMost: 4_000) {
                            peer.loop.preconditionOnLoop()
                            #expect(bytes.count <= 4_000)
                            bytes.append(to: &peer.read)
                        }
                        peer.notes.append("end")
                    }
                }
            }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(payload))
                try stream.finish()
            }
            try await pair.until(.server, "the end") { $0.notes == ["end"] }
            try await pair.server { peer in
                #expect(peer.read == payload)
                #expect(peer.session.statistics.streamsLive == 0)
                #expect(peer.session.statistics.waitsLive == 0)
                #expect(peer.session.statistics.waitsBegun > 0)
            }
        }
    }

    @Test(
        "a task that does not read stops its sender at the window, and lets it go on",
        arguments: TransportKind.allCases
    )
    func slowReader(kind: TransportKind) async throws {
        let window = 40_000
        let payload = pattern(300_000, seed: 7)
        var configuration = PairConfiguration()
        configuration.server.streamReceiveWindow = window
        try await kind.withPair(configuration) { pair in
            try await pair.server { $0.installsReaders = false }
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                peer.streams["a"] = stream
                try stream.write(Bytes(payload))
                try stream.finish()
            }
            try await pair.until(.server, "a full window") { $0.session.statistics.bufferedByteCount == window }
            // Another stream passes, which gives the first one time to overrun.
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(utf8: "passing"))
                try stream.finish()
            }
            try await pair.until(.server, "the other stream") { $0.receiving["6"]?.bufferedByteCount == 7 }
            try await pair.client { #expect($0.streams["a"]?.bytesTaken == UInt64(window)) }
            // Half a window is read: so much more may come, and no more.
            try await pair.server { peer in
                _ = peer.start { peer in
                    let stream = try #require(peer.receiving["2"])
                    while peer.read.count < window / 2 {
                        try await stream.read(atMost: window / 2 - peer.read.count)?.append(to: &peer.read)
                    }
                    peer.notes.append("half")
                }
            }
            try await pair.until(.client, "half a window more") { ($0.streams["a"]?.bytesTaken ?? 0) > UInt64(window) }
            try await pair.until(.server, "a full window again") { peer in
                peer.notes == ["half"] && (peer.receiving["2"]?.bufferedByteCount ?? 0) > window / 2
            }
            try await pair.client { #expect(($0.streams["a"]?.bytesTaken ?? 0) <= UInt64(window + window / 2)) }
            try await pair.server { peer in
                _ = peer.start { peer in
                    let stream = try #require(peer.receiving["2"])
                    while let bytes = try await stream.read() { bytes.append(to: &peer.read) }
                    peer.notes.append("end")
                }
            }
            try await pair.until(.server, "the end") { $0.notes == ["half", "end"] }
            try await pair.server { #expect($0.read == payload) }
        }
    }

    @Test("a producer that waits has a bounded queue, and everything arrives", arguments: TransportKind.allCases)
    func producer(kind: TransportKind) async throws {
        let piece = 9_000
        let pieces = 100
        var configuration = PairConfiguration()
        configuration.client.streamHighWatermark = 40_000
        configuration.client.streamLowWatermark = 10_000
        configuration.client.sessionHighWatermark = 60_000
        configuration.client.sessionLowWatermark = 20_000
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                for name in ["a", "b", "c"] {
                    peer.streams[name] = try peer.session.openUnidirectionalStream(priority: .default)
                    peer.start { peer in
                        let stream = try #require(peer.streams[name])
                        let payload = Bytes(pattern(piece * pieces, seed: stream.id.rawValue))
                        for number in 0..<pieces {
                            try await stream.writeWhenWritable(payload.slice(number * piece..<(number + 1) * piece))
                            peer.loop.preconditionOnLoop()
                        }
                        try stream.finish()
                    }
                }
            }
            try await pair.until(.server, "all ends") { peer in
                peer.opened.count == 3 && peer.readers.values.allSatisfy(\.isFinished)
            }
            try await pair.server { peer in
                for (id, reader) in peer.readers { #expect(reader.bytes == pattern(piece * pieces, seed: id.rawValue)) }
            }
            try await pair.client { peer in
                let statistics = peer.session.statistics
                #expect(statistics.maximumQueuedByteCount <= 60_000 + piece)
                #expect(statistics.waitsBegun > 10)
                #expect(statistics.waitsLive == 0)
                #expect(peer.notes.isEmpty)
            }
        }
    }

    @Test(
        "the fifth of four streams waits, and opens when others are over",
        arguments: TransportKind.allCases,
        [true, false]
    )
    func streamCredit(kind: TransportKind, isUnidirectional: Bool) async throws {
        var configuration = PairConfiguration()
        configuration.server.maximumIncomingUnidirectionalStreams = 4
        configuration.server.maximumIncomingBidirectionalStreams = 4
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                peer.onOpen = { _, _, send in try? send?.finish() }
            }
            try await pair.client { peer in
                #expect(peer.session.streamCredit(unidirectional: isUnidirectional) == 4)
                peer.start { peer in
                    for number in 0..<12 {
                        let stream: SendStream
                        if isUnidirectional {
                            stream = try await peer.session.openUnidirectionalStreamWhenAllowed(priority: .default)
                        } else {
                            let both = try await peer.session.openBidirectionalStreamWhenAllowed(priority: .default)
                            let reader = RecordingReader()
                            both.receive.reader = reader
                            peer.readers[both.send.id] = reader
                            stream = both.send
                        }
                        peer.loop.preconditionOnLoop()
                        #expect(stream.id.rawValue >> 2 == UInt64(number))
                        try stream.write(Bytes(pattern(2_000, seed: UInt64(number))))
                        peer.streams[String(number)] = stream
                    }
                    peer.notes.append("all open")
                }
            }
            try await pair.until(.server, "the streams that are allowed") { peer in
                peer.opened.count == 4 && peer.readers.values.allSatisfy { $0.bytes.count == 2_000 }
            }
            // The way of a stream of the other kind is time enough for a fifth that does not wait.
            try await pair.client { peer in
                if isUnidirectional {
                    _ = try peer.session.openBidirectionalStream(priority: .default).send.write(Bytes(utf8: "probe"))
                } else {
                    try peer.session.openUnidirectionalStream(priority: .default).write(Bytes(utf8: "probe"))
                }
            }
            try await pair.until(.server, "the other stream") { $0.opened.count == 5 }
            try await pair.client { peer in
                #expect(peer.session.streamCredit(unidirectional: isUnidirectional) == 0)
                #expect(peer.streams.count == 4)
                #expect(peer.session.statistics.waitsLive == 1)
                // When and how far a limit rises is the peer's affair: one stream at a time, or several together.
                for name in ["2", "0", "3"] { try peer.streams[name]?.finish() }
            }
            try await pair.until(.client, "the fifth") { $0.streams.count >= 5 && $0.session.statistics.waitsLive == 1 }
            try await pair.until(.client, "the others") { peer in
                for stream in peer.streams.values where stream.isWritable { try? stream.finish() }
                return peer.notes == ["all open"]
            }
            try await pair.client { peer in
                for stream in peer.streams.values where stream.isWritable { try stream.finish() }
                #expect(peer.session.statistics.waitsLive == 0)
            }
            try await pair.until(.server, "all ends") { peer in
                peer.readers.filter { $0.key.isUnidirectional == isUnidirectional && $0.value.isFinished }.count == 12
            }
            try await pair.server { peer in
                for (id, reader) in peer.readers where id.isUnidirectional == isUnidirectional {
                    #expect(reader.bytes == pattern(2_000, seed: id.rawValue >> 2))
                }
            }
        }
    }

    @Test(
        "streams opened at once and streams that wait for their turn keep their numbers apart",
        arguments: TransportKind.allCases
    )
    func mixedOpening(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.server.maximumIncomingUnidirectionalStreams = 1
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                peer.streams["first"] = try peer.session.openUnidirectionalStream(priority: .default)
                try peer.streams["first"]?.write(Bytes(utf8: "first"))
                for name in ["second", "cancelled"] {
                    let task = peer.start { peer in
                        let stream = try await peer.session.openUnidirectionalStreamWhenAllowed(priority: .default)
                        try stream.write(Bytes(utf8: name))
                        try stream.finish()
                    }
                    if name == "cancelled" { task.cancel() }
                }
            }
            try await pair.until(.client, "the cancellation") { $0.notes == ["cancelled"] }
            // One that does not wait takes the number that the waiting one may have been promised.
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                #expect(stream.id.rawValue == 6)
                try stream.write(Bytes(utf8: "at once"))
                try stream.finish()
                // Neither sent nor allowed yet, given up: the peer hears of it when it allows it, and of nothing before.
                let given = try peer.session.openUnidirectionalStream(priority: .default)
                #expect(given.id.rawValue == 10)
                given.reset(code: 3)
                #expect(peer.session.statistics.waitsLive == 1)
                try peer.streams["first"]?.finish()
            }
            try await pair.until(.server, "the three that were finished") { peer in
                peer.readers.values.filter(\.isFinished).count == 3
            }
            try await pair.server { peer in
                let texts = peer.opened.compactMap { peer.readers[$0] }.map {
                    String(decoding: $0.bytes, as: UTF8.self)
                }
                #expect(texts == ["first", "at once", "second"])
                #expect(peer.closes.isEmpty)
            }
            try await pair.client { #expect($0.session.statistics.waitsLive == 0) }
        }
    }

    @Test(
        "all who wait hear of the end, whoever ends the session",
        arguments: TransportKind.allCases,
        [WebTransportRole.client, .server]
    )
    func endOfWaits(kind: TransportKind, closer: WebTransportRole) async throws {
        var configuration = PairConfiguration()
        configuration.client.streamHighWatermark = 1_000
        configuration.client.streamLowWatermark = 500
        configuration.server.streamReceiveWindow = 2_000
        configuration.server.maximumIncomingUnidirectionalStreams = 1
        try await kind.withPair(configuration) { pair in
            try await pair.server { peer in
                peer.installsReaders = false
            }
            try await pair.client { peer in
                let both = try peer.session.openBidirectionalStream(priority: .default)
                peer.streams["a"] = both.send
                peer.receiving["a"] = both.receive
                try both.send.write(Bytes(pattern(10_000)))
                peer.streams["b"] = try peer.session.openUnidirectionalStream(priority: .default)
                peer.start { _ = try await $0.receiving["a"]?.read() }
                peer.start { try await $0.streams["a"]?.waitUntilWritable() }
                peer.start { try await $0.session.waitForStreamCredit(unidirectional: true) }
                peer.start { _ = try await $0.receiving["a"]?.read() }
            }
            try await pair.until(.client, "three who wait and one who was refused") { peer in
                peer.session.statistics.waitsLive == 3 && peer.notes == ["invalidState"]
            }
            try await pair.until(.server, "the stream") { !$0.opened.isEmpty }
            try await pair.on(closer) { $0.session.close(code: 12, reason: "enough") }
            try await pair.until(.client, "three ends") { $0.notes.count == 4 }
            try await pair.client { peer in
                #expect(peer.notes.dropFirst().allSatisfy { $0 == "sessionClosed 12" })
                let statistics = peer.session.statistics
                #expect(statistics.waitsBegun == 3)
                #expect(statistics.waitsEnded == 3)
            }
        }
    }

    @Test("a drained session opens nothing more, and what is open finishes", arguments: TransportKind.allCases)
    func drain(kind: TransportKind) async throws {
        let payload = pattern(200_000, seed: 3)
        try await kind.withPair { pair in
            try await pair.client { peer in
                for name in ["a", "b"] {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    peer.streams[name] = stream
                    try stream.write(Bytes(payload).prefix(100_000))
                }
                peer.session.drain()
                peer.session.drain()
                peer.start { peer in
                    try await peer.session.waitUntilDrained()
                    peer.notes.append("drained")
                }
                for isUnidirectional in [true, false] {
                    #expect(peer.session.streamCredit(unidirectional: isUnidirectional) == 0)
                }
                do throws(WebTransportError) {
                    _ = try peer.session.openBidirectionalStream(priority: .default)
                    Issue.record("a draining session opened a stream")
                } catch {
                    #expect(error.code == .sessionDraining)
                }
                for stream in peer.streams.values {
                    try stream.write(Bytes(payload).dropFirst(100_000))
                }
                try peer.streams["a"]?.finish()
            }
            try await pair.until(.server, "the first stream") { peer in
                peer.readers.values.contains(where: \.isFinished)
            }
            // The peer may still open streams, and a stream that is open keeps the session from being drained.
            try await pair.server { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(utf8: "from the peer"))
                try stream.finish()
            }
            try await pair.until(.client, "the peer's stream") { $0.onlyReader?.isFinished == true }
            try await pair.client { peer in
                #expect(peer.notes.isEmpty)
                try peer.streams["b"]?.finish()
            }
            try await pair.until(.client, "no stream") { $0.notes == ["drained"] }
            try await pair.server { peer in
                #expect(peer.drains == (kind.signalsDrain ? 1 : 0))
                #expect(peer.readers.count == 2)
                for reader in peer.readers.values { #expect(reader.bytes == payload) }
            }
            try await pair.client { $0.session.close(code: 0, reason: "") }
            try await pair.until(.server, "the end") { $0.closes.count == 1 }
        }
    }
}
