// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

/// Writes down what a session and its streams report.
private final class Recorder: WebTransportHandler, ReceiveStreamReader, SendStreamDelegate {
    var opened: [StreamID] = []
    var received: [UInt8] = []
    var events: [String] = []
    var consumes = Int.max
    var onOpen: ((ReceiveStream) -> Void)?
    var onReceive: ((ReceiveStream) -> Void)?
    var onDrain: ((SendStream) -> Void)?
    var onClose: (() -> Void)?

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        self.opened.append(stream.id)
        if let onOpen = self.onOpen { onOpen(stream) } else { stream.reader = self }
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        self.opened.append(stream.receive.id)
        stream.send.delegate = self
        if let onOpen = self.onOpen { onOpen(stream.receive) } else { stream.receive.reader = self }
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        self.events.append("datagram \(bytes.byteCount)")
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.events.append("close \(info.code)")
        self.onClose?()
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        let used = min(self.consumes, bytes.byteCount)
        Bytes(copying: bytes).prefix(used).append(to: &self.received)
        self.events.append("data \(bytes.byteCount)\(isFinished ? " fin" : "")")
        self.onReceive?(stream)
        return used
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.events.append("reset \(code)")
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        self.events.append("reader closed")
    }

    func sendStreamDidDrain(_ stream: SendStream) {
        self.events.append("drain")
        self.onDrain?(stream)
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.events.append("stopped \(code)")
    }

    func sendStreamDidComplete(_ stream: SendStream) {
        self.events.append("complete")
    }
}

@Suite("The stream manager")
struct StreamManagerTests {
    private let serverUni = StreamID(rawValue: 3)
    private let serverBidi = StreamID(rawValue: 1)

    @Test("a stream is marked ready once, and asked until it is empty")
    func activity() throws {
        let session = FakeSession()
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

    @Test("what the transport makes no room for stays queued")
    func refusedOffer() throws {
        let session = FakeSession()
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

    @Test("a stream is announced once, on its first bytes, and gets them right after")
    func notification() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        #expect(recorder.opened.isEmpty)
        session.deliver([], on: token)
        #expect(recorder.opened.isEmpty)
        session.deliver([1, 2], on: token)
        session.deliver([3], isFinished: true, on: token)
        #expect(recorder.opened == [self.serverUni])
        #expect(recorder.events == ["data 2", "data 1 fin"])
        #expect(session.statistics.streamsLive == 0)
        session.deliver([4], on: token)
        #expect(recorder.received == [1, 2, 3])
    }

    @Test("a stream that is reset before its first bytes is never announced")
    func resetBeforeData() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverBidi))
        session.manager.streamWasReset(token, code: 6)
        #expect(recorder.opened.isEmpty)
        // Nobody could ever end our direction of it.
        #expect(session.backend.calls == [.reset(1, code: 6), .retired(1)])
        #expect(session.statistics.streamsLive == 0)
    }

    @Test("a stop before the first bytes closes only our direction")
    func stopBeforeData() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverBidi))
        session.manager.peerStoppedSending(token, code: 6)
        session.deliver([1], isFinished: true, on: token)
        #expect(recorder.events == ["data 1 fin"])
        #expect(session.statistics.streamsLive == 0)
    }

    @Test("streams with our own number or beyond the limit are not accepted")
    func refusals() throws {
        var configuration = WebTransportConfiguration()
        configuration.maximumIncomingUnidirectionalStreams = 1
        let session = FakeSession(configuration)
        let recorder = Recorder()
        session.handler = recorder
        #expect(session.manager.acceptStream(StreamID(rawValue: 2)) == nil)
        #expect(session.statistics.misdirectedEvents == 1)
        for index in UInt64(0)..<4 {
            _ = try #require(session.manager.acceptStream(StreamID(rawValue: index << 2 | 3)))
        }
        #expect(session.manager.acceptStream(StreamID(rawValue: 4 << 2 | 3)) == nil)
        session.handler = nil
        #expect(session.manager.acceptStream(self.serverBidi) == nil)
        #expect(session.statistics.streamsRefused == 2)
    }

    @Test("more than the window allows ends the session", arguments: [true, false])
    func flowControl(isStreamWindow: Bool) throws {
        var configuration = WebTransportConfiguration()
        configuration.streamReceiveWindow = isStreamWindow ? 10 : 1_000
        configuration.sessionReceiveWindow = isStreamWindow ? 1_000 : 10
        let session = FakeSession(configuration)
        let recorder = Recorder()
        recorder.onOpen = { _ in }
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        session.deliver([UInt8](repeating: 0, count: 10), on: token)
        #expect(recorder.events == [])
        session.deliver([0], on: token)
        #expect(recorder.events == ["close 3"])
        #expect(session.backend.calls.contains(.close(3, "flow control limit exceeded")))
        #expect(session.statistics.streamsLive == 0)
    }

    @Test("windows open by what was consumed, not for every packet")
    func hysteresis() throws {
        var configuration = WebTransportConfiguration()
        configuration.streamReceiveWindow = 1_600
        configuration.sessionReceiveWindow = 16_000
        let session = FakeSession(configuration)
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        for _ in 0..<99 { session.deliver([0], on: token) }
        #expect(session.backend.calls.isEmpty)
        session.deliver([0], on: token)
        #expect(session.backend.calls == [.streamLimit(3, 1_700)])
        for _ in 0..<900 { session.deliver([0], on: token) }
        #expect(session.backend.calls.count == 11)
        #expect(session.backend.calls.contains(.sessionLimit(17_000)))
        // A reader that consumes nothing opens nothing.
        recorder.consumes = 0
        session.deliver([UInt8](repeating: 0, count: 500), on: token)
        #expect(session.backend.calls.count == 11)
        #expect(session.statistics.bufferedByteCount == 500)
    }

    @Test("what a reader does while it reads takes effect at once")
    func pauseInsideRead() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        recorder.consumes = 1
        var stream: ReceiveStream?
        recorder.onReceive = {
            stream = $0
            $0.pause()
        }
        session.deliver([1, 2, 3], on: token)
        session.deliver([4], isFinished: true, on: token)
        #expect(recorder.events == ["data 3"])
        #expect(stream?.bufferedByteCount == 3)
        recorder.onReceive = nil
        stream?.resume()
        #expect(recorder.events == ["data 3", "data 3 fin"])
        #expect(session.statistics.streamsLive == 0)
        #expect(session.statistics.bufferedByteCount == 0)
    }

    @Test("a reader that hands over to another one while it reads")
    func readerChange() throws {
        let session = FakeSession()
        let first = Recorder()
        let second = Recorder()
        session.handler = first
        let token = try #require(session.manager.acceptStream(self.serverUni))
        first.consumes = 2
        first.onReceive = { $0.reader = second }
        session.deliver([1, 2, 3, 4], on: token)
        #expect(first.received == [1, 2])
        #expect(second.received == [3, 4])
    }

    @Test("a reader that resumes without consuming is not asked for ever")
    func noProgress() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        recorder.consumes = 0
        recorder.onReceive = { stream in
            stream.pause()
            stream.resume()
        }
        session.deliver([1], on: token)
        #expect(recorder.events.count <= 3)
    }

    @Test("a stopped reader hears nothing more, and the bytes still count")
    func stopInsideRead() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        recorder.onReceive = { $0.stopSending(code: 5) }
        session.deliver([1, 2], on: token)
        session.deliver([3, 4], on: token)
        session.manager.streamWasReset(token, code: 5)
        #expect(recorder.events == ["data 2"])
        #expect(session.backend.calls == [.stop(3, code: 5, received: 2), .retired(3)])
        #expect(session.statistics.bufferedByteCount == 0)
        #expect(session.statistics.streamBytesConsumed == 4)
    }

    @Test("an end that comes before the reader is kept for it")
    func lateReader() throws {
        let session = FakeSession()
        let recorder = Recorder()
        var streams: [ReceiveStream] = []
        recorder.onOpen = { streams.append($0) }
        session.handler = recorder
        for index in UInt64(0)..<3 {
            let token = try #require(session.manager.acceptStream(StreamID(rawValue: index << 2 | 3)))
            session.deliver([1], isFinished: index == 0, on: token)
            if index == 1 { session.manager.streamWasReset(token, code: 4) }
        }
        streams[0].reader = recorder
        streams[1].reader = recorder
        session.close(code: 0, reason: "")
        streams[2].reader = recorder
        #expect(recorder.events == ["data 1 fin", "reset 4", "close 0", "reader closed"])
    }

    @Test("the end is told once: streams, readers, then the handler, which is let go")
    func end() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let stream = try session.openBidirectionalStream(priority: .default)
        stream.send.delegate = recorder
        stream.receive.reader = recorder
        try stream.send.write(Bytes([1]))
        let token = try #require(session.manager.acceptStream(self.serverUni))
        session.deliver([1], on: token)
        recorder.onClose = { session.close(code: 9, reason: "again") }
        session.manager.transportClosed(WebTransportCloseInfo(origin: .transport(.idleTimeout)))
        session.close(code: 2, reason: "")
        #expect(recorder.events == ["data 1", "complete", "reader closed", "reader closed", "close 0"])
        #expect(session.handler == nil)
        #expect(!session.backend.calls.contains { if case .close = $0 { true } else { false } })
        #expect(session.manager.closeInfo?.origin == .transport(.idleTimeout))
        session.deliver([2], on: token)
        #expect(session.manager.acceptStream(self.serverBidi) == nil)
        #expect(session.statistics.streamsLive == 0)
    }

    @Test("dropping every reference inside the last callback harms nobody")
    func dropInsideClose() {
        let recorder = Recorder()
        var session: FakeSession? = FakeSession()
        weak let watched = session
        session?.handler = recorder
        recorder.onClose = { session = nil }
        session?.close(code: 0, reason: "")
        #expect(recorder.events == ["close 0"])
        #expect(session == nil)
        #expect(watched == nil)
    }

    @Test("a transport without streams to give says so, and the slot is free again")
    func noStreams() throws {
        let session = FakeSession()
        session.backend.refusesStreams = true
        #expect(throws: WebTransportError.self) { try session.openUnidirectionalStream(priority: .default) }
        session.backend.refusesStreams = false
        _ = try session.openUnidirectionalStream(priority: .default)
        #expect(session.statistics.streamsOpened == 1)
    }

    @Test("priorities reach the transport at once, and only when they change")
    func priorities() throws {
        let session = FakeSession()
        let stream = try session.openUnidirectionalStream(priority: .default)
        stream.priority = .default
        stream.priority = .control
        #expect(session.backend.calls == [.priority(2, 1)])
    }

    @Test("datagrams that are late or do not fit any more do not hold up the next")
    func datagrams() throws {
        let session = FakeSession()
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
        try session.sendDatagram(Bytes([UInt8](repeating: 3, count: 900)))
        try session.sendDatagram([4])
        var asked = 0
        while session.manager.prepareDatagram(maximum: 100) == .doesNotFit, asked < 1_000 { asked += 1 }
        #expect(asked < 1_000)
        #expect(session.takeDatagram(maximum: 100) == [4])
    }

    @Test("a peer without datagrams, an empty one, a closed session: each has its error")
    func datagramErrors() {
        let session = FakeSession()
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
}
