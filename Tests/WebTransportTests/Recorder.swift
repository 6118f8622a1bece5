// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// Writes down what a session and its streams report.
final class Recorder: WebTransportHandler, ReceiveStreamReader, SendStreamDelegate {
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

    func transportPeerIsDraining(_ transport: any WebTransportSession) {
        self.events.append("peer drains")
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
