// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("What the stream manager receives", .timeLimit(.minutes(1)))
struct StreamManagerIngressTests {
    private let serverUni = StreamID(rawValue: 3)
    private let serverBidi = StreamID(rawValue: 1)

    @Test("a stream is announced once, on its first bytes, and gets them right after")
    func notification() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(self.serverUni))
        for _ in 0..<199 { session.deliver([0], on: token) }
        #expect(session.backend.calls.isEmpty)
        session.deliver([0], on: token)
        #expect(session.backend.calls == [.streamLimit(3, 1_800)])
        for _ in 0..<1_800 { session.deliver([0], on: token) }
        #expect(session.backend.calls.count == 11)
        #expect(session.backend.calls.contains(.sessionLimit(18_000)))
        // A reader that consumes nothing opens nothing.
        recorder.consumes = 0
        session.deliver([UInt8](repeating: 0, count: 500), on: token)
        #expect(session.backend.calls.count == 11)
        #expect(session.statistics.bufferedByteCount == 500)
    }

    @Test("what a reader does while it reads takes effect at once")
    func pauseInsideRead() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
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
        defer { session.close(code: 0, reason: "") }
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

    @Test("what was kept in several blocks is given on in order, across their borders, and stops at each pause")
    func keptInBlocks() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
        let handler = Recorder()
        var opened: ReceiveStream?
        handler.onOpen = {
            $0.pause()
            opened = $0
        }
        session.handler = handler
        let token = try #require(session.manager.acceptStream(self.serverUni))
        let whole = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
        for start in stride(from: 0, to: whole.count, by: 1_200) {
            session.deliver(Array(whole[start..<start + 1_200]), isFinished: start + 1_200 == whole.count, on: token)
        }
        #expect(session.statistics.bufferedByteCount == whole.count)
        let stream = try #require(opened)
        let reader = RecordReader(size: 50_000, countPerTurn: 2)
        stream.reader = reader
        for turn in 1...9 {
            #expect(!reader.isFinished)
            stream.resume()
            #expect(reader.received.count == turn * 100_000)
        }
        #expect(reader.isFinished)
        #expect(stream.isClosed)
        #expect(reader.received == whole)
        #expect(reader.longest <= 240 << 10)
        #expect(session.statistics.bufferedByteCount == 0)
    }

    @Test("a stopped reader hears nothing more, and the bytes still count")
    func stopInsideRead() throws {
        let session = FakeSession()
        defer { session.close(code: 0, reason: "") }
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
}
