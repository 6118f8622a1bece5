// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

/// What a task got: bytes, the end, or the failure.
enum ReadOutcome: Equatable, Sendable {
    case bytes([UInt8])
    case end
    case failed(WebTransportError.Code, wireCode: UInt64?)
}

/// Reads once.
func readOnce(_ stream: ReceiveStream, atMost maximum: Int = .max) async -> ReadOutcome {
    do throws(WebTransportError) {
        guard let bytes = try await stream.read(atMost: maximum) else { return .end }
        return .bytes(bytes.array)
    } catch {
        return .failed(error.code, wireCode: error.wireCode)
    }
}

// The main actor stands for the loop.
@Suite("Reading with await", .timeLimit(.minutes(1)))
@MainActor
struct AsyncReadTests {
    /// A stream of the peer without a reader, and its session.
    private func openStream(
        _ configuration: WebTransportConfiguration = WebTransportConfiguration(),
        bytes: [UInt8] = [0]
    ) throws -> (FakeSession, StreamToken, ReceiveStream) {
        let session = FakeSession(configuration)
        let recorder = Recorder()
        var opened: ReceiveStream?
        recorder.onOpen = { opened = $0 }
        session.handler = recorder
        let token = try #require(session.manager.acceptStream(StreamID(rawValue: 3)))
        session.deliver(bytes, on: token)
        recorder.onOpen = nil
        return (session, token, try #require(opened))
    }

    @Test("what is buffered is read without suspending")
    func fastPath() throws {
        let (session, token, stream) = try self.openStream(bytes: [1, 2, 3])
        defer { session.close(code: 0, reason: "") }
        session.deliver([4], isFinished: true, on: token)
        var outcomes: [ReadOutcome] = []
        // An immediate task runs up to its first suspension before this goes on.
        Task.immediate {
            for maximum in [2, 1, 9, 9, 9] { outcomes.append(await readOnce(stream, atMost: maximum)) }
        }
        #expect(outcomes == [.bytes([1, 2]), .bytes([3]), .bytes([4]), .end, .end])
        #expect(stream.isClosed)
        #expect(session.statistics.waitsBegun == 0)
        #expect(session.statistics.streamsLive == 0)
    }

    @Test("a read waits for bytes, for the end, and while the stream is paused")
    func waiting() async throws {
        let (session, token, stream) = try self.openStream()
        defer { session.close(code: 0, reason: "") }
        _ = await readOnce(stream)
        let first = Task.immediate { await readOnce(stream) }
        #expect(session.statistics.waitsLive == 1)
        session.deliver([7, 8], on: token)
        #expect(await first.value == .bytes([7, 8]))
        stream.pause()
        session.deliver([9], on: token)
        let second = Task.immediate { await readOnce(stream) }
        #expect(session.statistics.waitsLive == 1)
        stream.resume()
        #expect(await second.value == .bytes([9]))
        let third = Task.immediate { await readOnce(stream) }
        session.deliver([], isFinished: true, on: token)
        #expect(await third.value == .end)
        #expect(session.statistics.waitsBegun == 3)
        #expect(session.statistics.waitsLive == 0)
    }

    @Test("a second read at the same time is refused, and so is a read beside a reader")
    func exclusion() async throws {
        let (session, token, stream) = try self.openStream()
        defer { session.close(code: 0, reason: "") }
        _ = await readOnce(stream)
        let first = Task.immediate { await readOnce(stream) }
        do throws(WebTransportError) {
            _ = try await stream.read()
            Issue.record("two reads at once")
        } catch {
            #expect(error.code == .invalidState)
            #expect(error.message.contains("stream 3"))
        }
        session.deliver([5], on: token)
        #expect(await first.value == .bytes([5]))
        // A reader turns away the read that waits, and the ones that come.
        let second = Task.immediate { await readOnce(stream) }
        let recorder = Recorder()
        stream.reader = recorder
        #expect(await second.value == .failed(.invalidState, wireCode: nil))
        #expect(await readOnce(stream) == .failed(.invalidState, wireCode: nil))
        session.deliver([6], on: token)
        #expect(recorder.received == [6])
        // Without it the stream can be read again, from where the reader left it.
        recorder.consumes = 1
        session.deliver([7, 8], on: token)
        stream.reader = nil
        #expect(await readOnce(stream) == .bytes([8]))
    }

    @Test("a reader that lets go inside a delivery leaves the rest to the read that follows")
    func handOver() async throws {
        let (session, token, stream) = try self.openStream()
        defer { session.close(code: 0, reason: "") }
        let recorder = Recorder()
        stream.reader = recorder
        recorder.consumes = 1
        var read: Task<ReadOutcome, Never>?
        recorder.onReceive = { stream in
            stream.reader = nil
            MainActor.assumeIsolated { read = Task.immediate { await readOnce(stream) } }
        }
        session.deliver([1, 2, 3], on: token)
        #expect(await read?.value == .bytes([2, 3]))
    }

    @Test("reset, stop and the end of the session reach the read with their codes")
    func ends() async throws {
        let (session, token, stream) = try self.openStream()
        _ = await readOnce(stream)
        let read = Task.immediate { await readOnce(stream) }
        session.manager.streamWasReset(token, code: 77)
        #expect(await read.value == .failed(.streamReset, wireCode: 77))
        #expect(await readOnce(stream) == .failed(.streamReset, wireCode: 77))
        session.close(code: 0, reason: "")

        let (second, _, stopped) = try self.openStream()
        _ = await readOnce(stopped)
        let stoppedRead = Task.immediate { await readOnce(stopped) }
        stopped.stopSending(code: 5)
        #expect(await stoppedRead.value == .failed(.streamClosed, wireCode: 5))
        second.close(code: 0, reason: "")

        let (third, _, open) = try self.openStream()
        _ = await readOnce(open)
        let openRead = Task.immediate { await readOnce(open) }
        third.manager.transportClosed(WebTransportCloseInfo(origin: .peer, code: 9, reason: "over"))
        #expect(await openRead.value == .failed(.sessionClosed, wireCode: 9))
        #expect(third.statistics.waitsLive == 0)
    }

    @Test("a stream that had arrived completely can be read after the peer closed the session")
    func completeBeforeEnd() async throws {
        let (session, token, stream) = try self.openStream(bytes: [1, 2])
        session.deliver([3], isFinished: true, on: token)
        session.manager.transportClosed(WebTransportCloseInfo(origin: .peer, code: 0))
        #expect(await readOnce(stream, atMost: 2) == .bytes([1, 2]))
        // What a read left, a reader that is set late gets.
        let recorder = Recorder()
        stream.reader = recorder
        #expect(recorder.events == ["data 1 fin"])
        #expect(recorder.received == [3])
    }

    @Test("reading opens the windows by what was taken")
    func windows() async throws {
        var configuration = WebTransportConfiguration()
        configuration.streamReceiveWindow = 800
        configuration.sessionReceiveWindow = 1_600
        let (session, token, stream) = try self.openStream(configuration, bytes: [UInt8](repeating: 1, count: 800))
        defer { session.close(code: 0, reason: "") }
        #expect(session.backend.calls.isEmpty)
        #expect(await readOnce(stream, atMost: 99) == .bytes([UInt8](repeating: 1, count: 99)))
        #expect(session.backend.calls.isEmpty)
        _ = await readOnce(stream, atMost: 101)
        #expect(session.backend.calls == [.streamLimit(3, 1_000), .sessionLimit(1_800)])
        #expect(session.statistics.bufferedByteCount == 600)
        session.deliver([UInt8](repeating: 2, count: 200), on: token)
        #expect(!session.manager.isClosed)
    }

    @Test("a cancelled read ends promptly, whoever cancels it, and no byte is lost")
    func cancellation() async throws {
        let (session, token, stream) = try self.openStream()
        defer { session.close(code: 0, reason: "") }
        _ = await readOnce(stream)
        let read = Task.immediate { await readOnce(stream) }
        await Task.detached { read.cancel() }.value
        #expect(await read.value == .failed(.cancelled, wireCode: nil))
        // Cancelling and delivering at the same time: each byte comes out of this read or of the next one.
        var received: [UInt8] = []
        var cancelled = 0
        for number in 0..<2_000 {
            let racing = Task.immediate { await readOnce(stream) }
            let canceller = Task.detached { racing.cancel() }
            session.deliver([UInt8(truncatingIfNeeded: number)], on: token)
            switch await racing.value {
            case .bytes(let bytes): received += bytes
            case .failed(let code, _):
                #expect(code == .cancelled)
                cancelled += 1
            case .end: Issue.record("an end")
            }
            await canceller.value
        }
        session.deliver([255], isFinished: true, on: token)
        while case .bytes(let bytes) = await readOnce(stream) { received += bytes }
        #expect(received == (0..<2_000).map { UInt8(truncatingIfNeeded: $0) } + [255])
        #expect(session.statistics.waitsLive == 0)
    }
}
