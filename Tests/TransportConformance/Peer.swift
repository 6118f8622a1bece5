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
    /// How often the other side said that it drains.
    var drains = 0

    /// What a test keeps between its steps.
    var streams: [String: SendStream] = [:]
    var receiving: [String: ReceiveStream] = [:]
    var delegates: [String: RecordingDelegate] = [:]

    /// What tasks on the loop came to: notes in the order they were made, and bytes.
    var notes: [String] = []
    var read: [UInt8] = []
    private var tasks: [Task<Void, Never>] = []

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

    /// Starts a task that stays on the loop. What it throws becomes a note.
    @discardableResult
    func start(_ body: @escaping @Sendable (Peer) async throws -> Void) -> Task<Void, Never> {
        let bound = LoopBound(self, on: self.loop)
        let task = Task(executorPreference: self.loop.tasks) {
            let peer = bound.value
            do {
                try await body(peer)
            } catch let error as WebTransportError {
                peer.notes.append(error.code.description + (error.wireCode.map { " \($0)" } ?? ""))
            } catch {
                peer.notes.append("\(error)")
            }
        }
        self.tasks.append(task)
        return task
    }

    /// Cancels what `start` began.
    func cancelTasks() {
        for task in self.tasks { task.cancel() }
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
        self.tasks = []
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

    func transportPeerIsDraining(_ transport: any WebTransportSession) {
        self.drains += 1
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.closes.append(info)
        self.onClose?(self)
    }
}
