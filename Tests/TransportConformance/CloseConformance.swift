// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Transports end sessions once", .timeLimit(.minutes(1)))
struct CloseConformance {
    @Test("code and reason reach the peer", arguments: TransportKind.allCases, [WebTransportRole.client, .server])
    func codes(kind: TransportKind, closer: WebTransportRole) async throws {
        let other: WebTransportRole = closer == .client ? .server : .client
        try await kind.withPair { pair in
            for side in [closer, other] {
                try await pair.on(side) { peer in
                    let stream = try peer.session.openBidirectionalStream(priority: .default)
                    let reader = RecordingReader()
                    let delegate = RecordingDelegate()
                    stream.receive.reader = reader
                    stream.send.delegate = delegate
                    peer.readers[stream.send.id] = reader
                    peer.delegates["a"] = delegate
                    peer.streams["a"] = stream.send
                    try stream.send.write(Bytes(utf8: "open"))
                }
            }
            for side in [closer, other] {
                try await pair.until(side, "the other's stream") { $0.opened.count == 1 }
            }
            try await pair.on(closer) { peer in
                peer.session.close(code: 3, reason: "bye")
                // All is told before the call returns, and a second call changes nothing.
                #expect(peer.closes == [WebTransportCloseInfo(origin: .local, code: 3, reason: "bye")])
                peer.session.close(code: 4, reason: "again")
            }
            try await pair.until(other, "the end") { !$0.closes.isEmpty }
            for side in [closer, other] {
                try await pair.on(side) { peer in
                    #expect(peer.closes.count == 1)
                    #expect(peer.closes.first?.origin == (side == closer ? .local : .peer))
                    #expect(peer.closes.first?.code == 3)
                    #expect(peer.closes.first?.reason == "bye")
                    for reader in peer.readers.values { #expect(reader.sessionCloses == 1) }
                    #expect(peer.readers.count == 2)
                    #expect(peer.delegates["a"]?.completions == 1)
                    #expect(peer.streams["a"]?.isDelivered == false)
                    #expect(peer.session.handler == nil)
                    let statistics = peer.session.statistics
                    #expect(statistics.streamsLive == 0)
                    #expect(statistics.queuedByteCount == 0)
                    #expect(throws: WebTransportError.self) { try peer.session.sendDatagram([1]) }
                    #expect {
                        try peer.session.openUnidirectionalStream(priority: .default)
                    } throws: { error in
                        (error as? WebTransportError)?.code == .sessionClosed
                    }
                    #expect {
                        try peer.streams["a"]?.write(Bytes(utf8: "late"))
                    } throws: { error in
                        (error as? WebTransportError)?.code == .sessionClosed
                    }
                }
            }
        }
    }

    @Test("a handler may end the session while a stream is announced", arguments: TransportKind.allCases)
    func closeInsideOpen(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, _, _ in
                    peer.session.close(code: 9, reason: "no")
                    // Nothing works any more, and nothing traps.
                    #expect(throws: WebTransportError.self) {
                        try peer.session.openBidirectionalStream(priority: .default)
                    }
                }
            }
            try await pair.client { peer in
                for _ in 0..<10 {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    try stream.write(Bytes(pattern(3_000)))
                    try stream.finish()
                }
            }
            try await pair.until(.client, "the end") { !$0.closes.isEmpty }
            try await pair.client { #expect($0.closes.first?.code == 9) }
            try await pair.server { peer in
                #expect(peer.closes.count == 1)
                #expect(peer.opened.count == 1)
                #expect(peer.onlyReader?.deliveries == 0)
                #expect(peer.onlyReader?.sessionCloses == 1)
                #expect(peer.eventsAfterClose == 0)
            }
        }
    }

    @Test(
        "a reader may end the session, a delegate may write, an ending handler may open",
        arguments: TransportKind.allCases
    )
    func reentrancy(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.server { peer in
                peer.onOpen = { peer, stream, send in
                    peer.readers[stream.id]?.onReceive = { stream in
                        guard let reader = peer.readers[stream.id], reader.bytes.count > 2_000 else { return }
                        // Everything at once: a stop, a reset, a write on another stream, then the end.
                        stream.stopSending(code: 1)
                        send?.reset(code: 2)
                        try? peer.session.openUnidirectionalStream(priority: .control).write(Bytes(utf8: "never sent"))
                        peer.session.close(code: 5, reason: "enough")
                    }
                }
                peer.onClose = { peer in
                    #expect(throws: WebTransportError.self) {
                        try peer.session.openUnidirectionalStream(priority: .default)
                    }
                    peer.session.close(code: 6, reason: "")
                }
            }
            try await pair.client { peer in
                let stream = try peer.session.openBidirectionalStream(priority: .default)
                let delegate = RecordingDelegate()
                peer.delegates["a"] = delegate
                stream.send.delegate = delegate
                delegate.onDrain = { stream in try? stream.write(Bytes(pattern(700))) }
                try stream.send.write(Bytes(pattern(700)))
            }
            try await pair.until(.client, "the end") { !$0.closes.isEmpty }
            try await pair.client { #expect($0.closes.first?.code == 5) }
            try await pair.server { #expect($0.closes.count == 1) }
        }
    }

    @Test("streams that arrive in the middle of the end harm nobody", arguments: TransportKind.allCases)
    func arrivalsDuringEnd(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            for side in [WebTransportRole.client, .server] {
                try await pair.on(side) { peer in
                    for _ in 0..<50 {
                        let stream = try peer.session.openUnidirectionalStream(priority: .default)
                        try stream.write(Bytes(pattern(5_000)))
                        if side == .client { try stream.finish() }
                    }
                    try peer.session.sendDatagram(Bytes(utf8: "late"))
                }
            }
            try await pair.until(.server, "the first streams") { !$0.opened.isEmpty }
            try await pair.server { $0.session.close(code: 0, reason: "") }
            try await pair.client { $0.session.close(code: 1, reason: "") }
            try await pair.client { peer in
                #expect(peer.closes.count == 1)
                #expect(peer.session.statistics.streamsLive == 0)
            }
            try await pair.server { peer in
                #expect(peer.closes.count == 1)
                #expect(peer.eventsAfterClose == 0)
                #expect(peer.session.statistics.streamsLive == 0)
            }
        }
    }

    @Test("what happens before there is a handler is kept for it", arguments: TransportKind.allCases)
    func lateHandler(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.setsHandlers = false
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                peer.session.handler = peer
                for number in 0..<3 {
                    let stream = try peer.session.openUnidirectionalStream(priority: .default)
                    try stream.write(Bytes(pattern(4_000, seed: UInt64(number))))
                    try stream.finish()
                }
            }
            try await pair.until(.server, "the bytes") { $0.session.statistics.bufferedByteCount == 12_000 }
            try await pair.server { peer in
                #expect(peer.opened.isEmpty)
                peer.session.handler = peer
                #expect(peer.opened.count == 3)
                for (id, reader) in peer.readers {
                    #expect(reader.isFinished)
                    #expect(reader.bytes == pattern(4_000, seed: id.rawValue >> 2))
                }
            }
        }
    }

    @Test("an end before there is a handler is kept for it", arguments: TransportKind.allCases)
    func endBeforeHandler(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.setsHandlers = false
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                let stream = try peer.session.openUnidirectionalStream(priority: .default)
                try stream.write(Bytes(pattern(400)))
            }
            try await pair.until(.server, "the bytes") { $0.session.statistics.bufferedByteCount == 400 }
            try await pair.client { $0.session.close(code: 8, reason: "early") }
            try await pair.until(.server, "no stream left") { $0.session.statistics.streamsLive == 0 }
            try await pair.server { peer in
                peer.session.handler = peer
                #expect(peer.closes == [WebTransportCloseInfo(origin: .peer, code: 8, reason: "early")])
                #expect(peer.opened.isEmpty)
            }
        }
    }
}
