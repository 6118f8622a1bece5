// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// One end of a pair under test: the session's handler, remembering everything it is told. Confined to the session's loop.
final class Peer: WebTransportHandler {
    let session: any WebTransportSession
    let loop: PacketLoop

    /// The peer's streams in the order they were announced, and their readers.
    var opened: [StreamID] = []
    var readers: [StreamID: RecordingReader] = [:]
    /// This side's direction of the peer's bidirectional streams.
    var replies: [StreamID: SendStream] = [:]
    var datagrams: [[UInt8]] = []
    var closes: [WebTransportCloseInfo] = []
    var eventsAfterClose = 0

    /// What a test keeps between its steps.
    var streams: [String: SendStream] = [:]
    var receiving: [String: ReceiveStream] = [:]
    var delegates: [String: RecordingDelegate] = [:]

    /// What a test does inside the callbacks.
    var onOpen: ((Peer, ReceiveStream, SendStream?) -> Void)?
    var onDatagram: ((Peer, [UInt8]) -> Void)?
    var onClose: ((Peer) -> Void)?
    /// Whether streams get a reader when they are announced.
    var installsReaders = true

    init(session: any WebTransportSession, loop: PacketLoop) {
        self.session = session
        self.loop = loop
    }

    /// Lets go of everything a test put in, which mostly refers back to this peer.
    func clear() {
        self.onOpen = nil
        self.onDatagram = nil
        self.onClose = nil
        self.readers = [:]
        self.replies = [:]
        self.streams = [:]
        self.receiving = [:]
        self.delegates = [:]
    }

    /// The reader of the only stream that was announced.
    var onlyReader: RecordingReader? {
        guard let id = self.opened.first else { return nil }
        return self.readers[id]
    }

    private func open(_ stream: ReceiveStream, send: SendStream?) {
        if !self.closes.isEmpty { self.eventsAfterClose += 1 }
        self.opened.append(stream.id)
        self.replies[stream.id] = send
        self.receiving[String(stream.id.rawValue)] = stream
        if self.installsReaders {
            let reader = RecordingReader()
            self.readers[stream.id] = reader
            stream.reader = reader
        }
        self.onOpen?(self, stream, send)
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        self.open(stream, send: nil)
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        self.open(stream.receive, send: stream.send)
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        if !self.closes.isEmpty { self.eventsAfterClose += 1 }
        let datagram = Bytes(copying: bytes).array
        self.datagrams.append(datagram)
        self.onDatagram?(self, datagram)
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.closes.append(info)
        self.onClose?(self)
    }
}
