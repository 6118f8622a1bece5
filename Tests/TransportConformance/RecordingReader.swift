// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// A reader that keeps everything it is given.
final class RecordingReader: ReceiveStreamReader {
    var bytes: [UInt8] = []
    var deliveries = 0
    var isFinished = false
    var finishes = 0
    var resetCodes: [UInt64] = []
    var sessionCloses = 0
    /// How many of the bytes presented to consume; all when nil.
    var appetite: ((Int) -> Int)?
    /// What a test does inside a delivery, after the bytes were kept.
    var onReceive: ((ReceiveStream) -> Void)?

    /// Whether the stream ended in any way.
    var isOver: Bool { self.isFinished || !self.resetCodes.isEmpty || self.sessionCloses > 0 }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        self.deliveries += 1
        let wanted = isFinished ? bytes.byteCount : self.appetite?(bytes.byteCount) ?? bytes.byteCount
        Bytes(copying: bytes).prefix(wanted).append(to: &self.bytes)
        if isFinished {
            self.isFinished = true
            self.finishes += 1
        }
        self.onReceive?(stream)
        return wanted
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.resetCodes.append(code)
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        self.sessionCloses += 1
    }
}
