// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("How the stream manager ends a session", .timeLimit(.minutes(1)))
struct StreamManagerEndTests {
    private let serverUni = StreamID(rawValue: 3)
    private let serverBidi = StreamID(rawValue: 1)

    @Test("an end that comes before the reader is kept for it")
    func lateReader() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
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

    @Test("what comes after its session has gone is told to nobody")
    func withoutSession() throws {
        let recorder = Recorder()
        let manager: WebTransportStreamManager
        let token: StreamToken
        do {
            let session = FakeSession()
            session.handler = recorder
            manager = session.manager
            token = try #require(manager.acceptStream(self.serverUni))
        }
        unsafe manager.receivedDatagram([1].span.bytes)
        unsafe manager.received([1].span.bytes, isFinished: false, on: token)
        manager.transportClosed(WebTransportCloseInfo(origin: .transport(.idleTimeout)))
        #expect(recorder.opened.isEmpty)
        #expect(recorder.events.isEmpty)
    }

    @Test("the end is told once: streams, readers, then the handler, which is let go")
    func end() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
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

    @Test(
        "a reader that ends the session while it hears of its stream's end hears of no other",
        arguments: [true, false]
    )
    func closeInsideLastDelivery(isPaused: Bool) throws {
        let session = FakeSession()
        let recorder = Recorder()
        var opened: ReceiveStream?
        recorder.onOpen = { [unowned recorder] stream in
            opened = stream
            if isPaused { stream.pause() }
            stream.reader = recorder
        }
        recorder.onReceive = { _ in session.close(code: 5, reason: "") }
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        session.deliver([1], isFinished: true, on: token)
        opened?.resume()
        #expect(recorder.events == ["data 1 fin", "close 5"])
        #expect(session.statistics.streamsLive == 0)
    }

    @Test("a session that ends while bytes are about to be taken has none queued")
    func closeInsideDrain() throws {
        let session = FakeSession()
        let recorder = Recorder()
        session.handler = recorder
        let stream = try session.openUnidirectionalStream(priority: .default)
        stream.delegate = recorder
        try stream.write(Bytes(utf8: "never sent"))
        var queued: Int?
        recorder.onClose = { queued = session.queuedByteCount }
        recorder.onDrain = { _ in session.close(code: 5, reason: "") }
        let token = try #require(session.backend.tokens[stream.id.rawValue])
        #expect(session.take(token, maximum: 100).bytes.isEmpty)
        #expect(queued == 0)
    }

    @Test("what had arrived completely is delivered when the peer closes, though it was paused")
    func completeStreamsAtClose() throws {
        for origin in [WebTransportCloseInfo.Origin.peer, .transport(.idleTimeout)] {
            let session = FakeSession()
            defer { session.close(code: 0, reason: "") }
            let recorder = Recorder()
            recorder.onOpen = { [unowned recorder] stream in
                stream.reader = recorder
                stream.pause()
            }
            session.handler = recorder
            for index in UInt64(0)..<2 {
                let token = try #require(session.manager.acceptStream(StreamID(rawValue: index << 2 | 3)))
                session.deliver([1, 2], on: token)
                session.deliver([3], isFinished: index == 0, on: token)
            }
            #expect(recorder.events.isEmpty)
            session.manager.transportClosed(WebTransportCloseInfo(origin: origin))
            let expected = origin == .peer ? "data 3 fin" : "reader closed"
            #expect(recorder.events == [expected, "reader closed", "close 0"])
        }
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
}
