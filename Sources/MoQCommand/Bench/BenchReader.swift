// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// Reads what a ``BenchWriter`` sends and checks every byte of it, unless it is told to read nothing. (loop)
final class BenchReader: WebTransportHandler, ReceiveStreamReader {
    /// Called once per stream of the peer, before its bytes are read. Whoever does not want to read pauses it.
    var opened: (ReceiveStream) -> Void = { _ in }
    /// Called when a stream has arrived completely.
    var finished: (ReceiveStream) -> Void = { _ in }
    /// Called once, at the end of the session.
    var closed: (WebTransportCloseInfo) -> Void = { _ in }

    /// The streams that were opened and have not ended.
    private(set) var streams: [StreamID: ReceiveStream] = [:]
    /// How many streams have arrived completely.
    private(set) var finishedCount = 0
    /// How many bytes were read.
    private(set) var byteCount: UInt64 = 0
    /// How many bytes of the streams that have not ended were read.
    private var offsets: [StreamID: UInt64] = [:]
    /// What was wrong with the bytes; nil when nothing was.
    private(set) var complaint: String?

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        self.streams[stream.id] = stream
        self.offsets[stream.id] = 0
        self.opened(stream)
        stream.reader = self
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        stream.receive.stopSending(code: 0)
        stream.send.reset(code: 0)
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        // None are sent here.
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.streams = [:]
        self.closed(info)
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        let offset = self.offsets[stream.id] ?? 0
        let count = bytes.byteCount / BenchPattern.unit * BenchPattern.unit
        if !BenchPattern.check(bytes.extracting(0..<count), of: stream.id, from: offset) {
            self.complaint = self.complaint ?? "stream \(stream.id) is wrong in the \(count) bytes from \(offset) on"
        }
        self.offsets[stream.id] = offset + UInt64(count)
        self.byteCount += UInt64(count)
        if isFinished {
            if count < bytes.byteCount {
                self.complaint = self.complaint ?? "stream \(stream.id) ends in the middle of a number"
            }
            self.finishedCount += 1
            self.forget(stream)
            self.finished(stream)
        }
        return count
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.complaint = self.complaint ?? "stream \(stream.id) was reset with \(code)"
        self.forget(stream)
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        self.complaint = self.complaint ?? "the session ended before stream \(stream.id) did"
        self.forget(stream)
    }

    private func forget(_ stream: ReceiveStream) {
        self.streams[stream.id] = nil
        self.offsets[stream.id] = nil
    }
}
