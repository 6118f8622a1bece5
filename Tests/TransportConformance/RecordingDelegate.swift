// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// A delegate that counts what it is told.
final class RecordingDelegate: SendStreamDelegate {
    var drains = 0
    var stopCodes: [UInt64] = []
    var completions = 0
    var onDrain: ((SendStream) -> Void)?

    func sendStreamDidDrain(_ stream: SendStream) {
        self.drains += 1
        self.onDrain?(stream)
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.stopCodes.append(code)
    }

    func sendStreamDidComplete(_ stream: SendStream) {
        self.completions += 1
    }
}
