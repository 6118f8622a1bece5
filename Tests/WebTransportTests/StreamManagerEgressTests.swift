// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("What the stream manager sends", .timeLimit(.minutes(1)))
struct StreamManagerEgressTests {
    @Test("a stream is marked ready once, and asked until it is empty")
    func activity() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        for _ in 0..<100 { try stream.write(Bytes([UInt8](repeating: 1, count: 10))) }
        #expect(session.backend.calls == [.ready(stream.id.rawValue)])
        let first = session.take(token, maximum: 600)
        #expect(first.offer == EgressOffer(count: 600, isFinal: false, isStillActive: true))
        try stream.write(Bytes([2]))
        let second = session.take(token, maximum: 600)
        #expect(second.offer == EgressOffer(count: 401, isFinal: false, isStillActive: false))
        #expect(session.backend.calls.count == 1)
        #expect(stream.bytesTaken == 1_001)
        try stream.finish()
        #expect(session.backend.calls.count == 2)
        #expect(session.take(token, maximum: 0).offer == EgressOffer(count: 0, isFinal: true, isStillActive: false))
        // The end goes out once.
        #expect(session.take(token, maximum: 10).offer == .nothing)
        #expect(session.statistics.emptyOffers == 0)
        session.manager.streamDelivered(token)
        #expect(stream.isDelivered)
        #expect(session.statistics.streamsLive == 0)
        #expect(session.backend.calls.last == .retired(stream.id.rawValue))
    }

    @Test("a delegate that does not care for empty queues is told of watermarks only", arguments: [true, false])
    func emptyQueues(tellsWhenEmpty: Bool) throws {
        var configuration = WebTransportConfiguration()
        configuration.streamHighWatermark = 100
        configuration.streamLowWatermark = 50
        let session = FakeSession(configuration)
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        var drains = 0
        recorder.onDrain = { _ in drains += 1 }
        let stream = try session.openUnidirectionalStream(priority: .default)
        stream.delegate = recorder
        stream.tellsWhenEmpty = tellsWhenEmpty
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        try stream.write(Bytes([UInt8](repeating: 1, count: 99)))
        #expect(session.take(token, maximum: 98).offer.isStillActive)
        #expect(drains == 0)
        #expect(session.take(token, maximum: 98).bytes == [1])
        #expect(drains == (tellsWhenEmpty ? 1 : 0))
        drains = 0
        try stream.write(Bytes([UInt8](repeating: 1, count: 120)))
        #expect(stream.isAboveHighWatermark)
        #expect(session.take(token, maximum: 69).offer.isStillActive)
        #expect(drains == 0)
        #expect(session.take(token, maximum: 1).offer.isStillActive)
        #expect(drains == 1)
        #expect(!stream.isAboveHighWatermark)
        try stream.finish()
        #expect(session.take(token, maximum: 100).offer.isFinal)
        #expect(drains == (tellsWhenEmpty ? 2 : 1))
    }

    @Test("a stream that was empty before the session had room is told when it has")
    func drainsWithSession() throws {
        var configuration = WebTransportConfiguration()
        configuration.sessionHighWatermark = 100
        configuration.sessionLowWatermark = 50
        let session = FakeSession(configuration)
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        recorder.onDrain = { stream in
            if !stream.isAboveHighWatermark { try? stream.write(Bytes(utf8: "more")) }
        }
        let other = try session.openUnidirectionalStream(priority: .default)
        try other.write(Bytes([UInt8](repeating: 1, count: 50)))
        let stream = try session.openUnidirectionalStream(priority: .default)
        stream.delegate = recorder
        stream.tellsWhenEmpty = true
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        try stream.write(Bytes([UInt8](repeating: 2, count: 60)))
        #expect(stream.isAboveHighWatermark)
        // The take leaves this stream empty, and the session at its low watermark.
        #expect(session.take(token, maximum: 60).offer.isStillActive)
        #expect(stream.queuedByteCount == 4)
    }

    @Test("what the transport makes no room for stays queued")
    func refusedOffer() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        try stream.write(Bytes(utf8: "keep me"))
        let offer = session.manager.prepareToSend(token, maximum: 100)
        #expect(offer.count == 7)
        session.manager.offerRefused(token)
        #expect(stream.queuedByteCount == 7)
        #expect(session.backend.calls == [.ready(stream.id.rawValue), .ready(stream.id.rawValue)])
        #expect(session.take(token, maximum: 100).bytes == Array("keep me".utf8))
        #expect(session.statistics.refusedOffers == 1)
    }

    @Test("what a delegate writes while its queue drains still goes into the offer")
    func drainBeforeOffer() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        stream.delegate = recorder
        var rounds = 0
        recorder.onDrain = { stream in
            #expect(stream.queuedByteCount == 0)
            #expect(session.queuedByteCount == 0)
            rounds += 1
            if rounds == 1 { try? stream.write(Bytes(utf8: "world")) }
        }
        try stream.write(Bytes(utf8: "hello "))
        #expect(session.take(token, maximum: 8).bytes == Array("hello wo".utf8))
        #expect(session.take(token, maximum: 8).offer == EgressOffer(count: 3, isFinal: false, isStillActive: false))
        #expect(rounds == 2)
        #expect(session.backend.calls.count == 1)
        #expect(session.queuedByteCount == 0)
    }

    @Test("a delegate that always writes a little is asked until the packet is full")
    func drainUntilFull() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        stream.delegate = recorder
        recorder.onDrain = { stream in try? stream.write(Bytes([UInt8](repeating: 1, count: 30))) }
        try stream.write(Bytes([0]))
        #expect(session.take(token, maximum: 100).offer == EgressOffer(count: 100, isFinal: false, isStillActive: true))
        #expect(recorder.events.count == 4)
    }

    @Test("a delegate may reset the stream or close the session while it is asked", arguments: [true, false])
    func endInsideDrain(closes: Bool) throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        stream.delegate = recorder
        recorder.onDrain = { stream in
            if closes { session.close(code: 1, reason: "") } else { stream.reset(code: 1) }
        }
        try stream.write(Bytes(utf8: "never sent"))
        #expect(session.take(token, maximum: 100).offer == .nothing)
        #expect(stream.bytesTaken == 0)
        #expect(session.queuedByteCount == 0)
        #expect(session.statistics.streamsLive == 0)
        #expect(throws: WebTransportError.self) { try stream.write(Bytes([1])) }
    }

    @Test("the hard limits of the queues refuse without queueing")
    func queueLimits() throws {
        var configuration = WebTransportConfiguration()
        configuration.streamQueueLimit = 100
        configuration.sessionQueueLimit = 150
        let session = FakeSession(configuration)
        defer { session.close(code: 0, reason: "") }
        let first = try session.openUnidirectionalStream(priority: .default)
        let second = try session.openUnidirectionalStream(priority: .default)
        try first.write(Bytes([UInt8](repeating: 0, count: 100)))
        #expect {
            try first.write(Bytes([0]))
        } throws: { error in
            (error as? WebTransportError)?.code == .queueFull && (error as? WebTransportError)?.limit == 100
        }
        #expect {
            try second.write(Bytes([UInt8](repeating: 0, count: 51)))
        } throws: { error in
            (error as? WebTransportError)?.code == .queueFull && (error as? WebTransportError)?.limit == 150
        }
        #expect(second.queuedByteCount == 0)
        #expect(session.queuedByteCount == 100)
        first.reset(code: 0)
        try second.write(Bytes([UInt8](repeating: 0, count: 51)))
        #expect(session.queuedByteCount == 51)
    }

    @Test("STOP_SENDING is answered with RESET_STREAM before the delegate hears of it")
    func stopSending() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        let stream = try session.openUnidirectionalStream(priority: .default)
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        stream.delegate = recorder
        try stream.write(Bytes(utf8: "unwanted"))
        session.manager.peerStoppedSending(token, code: 42)
        #expect(
            session.backend.calls == [.ready(2), .reset(2, code: 42), .retired(2)]
        )
        #expect(recorder.events == ["stopped 42"])
        // Later events of the stream are stale and harm nobody.
        session.manager.peerStoppedSending(token, code: 43)
        session.manager.streamDelivered(token)
        #expect(session.take(token, maximum: 10).offer == .nothing)
        #expect(recorder.events == ["stopped 42"])
        #expect(session.statistics.staleEvents == 2)
    }

    @Test("a slot that is used again does not answer to its old token")
    func staleTokens() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let first = try session.openUnidirectionalStream(priority: .default)
        let stale = try #require(session.backend.tokens[first.id.rawValue])
        first.reset(code: 0)
        let second = try session.openUnidirectionalStream(priority: .default)
        let fresh = try #require(session.backend.tokens[second.id.rawValue])
        #expect(fresh != stale)
        try second.write(Bytes([1]))
        session.manager.peerStoppedSending(stale, code: 1)
        #expect(session.take(stale, maximum: 10).offer == .nothing)
        #expect(!second.isReset)
        #expect(session.take(fresh, maximum: 10).bytes == [1])
    }

    @Test("a transport without streams to give says so, and the slot is free again")
    func noStreams() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        session.backend.refusesStreams = true
        #expect(throws: WebTransportError.self) { try session.openUnidirectionalStream(priority: .default) }
        session.backend.refusesStreams = false
        _ = try session.openUnidirectionalStream(priority: .default)
        #expect(session.statistics.streamsOpened == 1)
    }

    @Test("priorities reach the transport at once, and only when they change")
    func priorities() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let stream = try session.openUnidirectionalStream(priority: .default)
        stream.priority = .default
        stream.priority = .control
        #expect(session.backend.calls == [.priority(2, 1)])
    }
}
