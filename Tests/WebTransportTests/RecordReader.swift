// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// Takes records of one size, and pauses its stream after so many of them.
final class RecordReader: ReceiveStreamReader {
    private let size: Int
    private let countPerTurn: Int
    private(set) var received: [UInt8] = []
    private(set) var isFinished = false
    /// The most bytes that it was given at a time.
    private(set) var longest = 0

    init(size: Int, countPerTurn: Int) {
        self.size = size
        self.countPerTurn = countPerTurn
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        self.longest = max(self.longest, bytes.byteCount)
        self.isFinished = isFinished
        let turnEnd = (self.received.count / (self.size * self.countPerTurn) + 1) * self.size * self.countPerTurn
        let whole = bytes.byteCount / self.size * self.size
        let used = isFinished ? bytes.byteCount : min(whole, turnEnd - self.received.count)
        Bytes(copying: bytes.extracting(0..<used)).append(to: &self.received)
        if self.received.count == turnEnd { stream.pause() }
        return used
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {}

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {}
}
