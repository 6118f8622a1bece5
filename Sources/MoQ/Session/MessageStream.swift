// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import WebTransport

/// A stream that carries control messages: a control stream, one direction of a control pair, or the stream of a
/// request. Loop only.
///
/// It cuts bytes into messages and gives each to the session with what is known of its place. It keeps what the meaning of
/// an answer depends on: whether the request was answered, and which updates were not.
final class MessageStream: ReceiveStreamReader, SendStreamDelegate {
    /// What the stream is for.
    enum Purpose {
        /// The first message will tell: a bidirectional stream of the peer.
        case undecided
        /// Control messages.
        case control
        /// One request.
        case request(RequestKind)
    }

    /// What the stream is for.
    private(set) var purpose: Purpose
    /// Whether this side opened the stream.
    let isOpenedByUs: Bool
    /// The request that the stream belongs to. Nil before the first message, after the request, and on control streams.
    var request: (any SessionRequest)?
    /// The id of that request.
    private(set) var requestID: RequestID?
    /// Whether the peer has answered the request that we opened the stream for.
    private(set) var isAnswered = false
    /// The code with which the peer ended the stream abruptly, if it did.
    private(set) var peerCode: StreamResetCode?
    /// Our updates of the request that the peer has not answered, oldest first.
    var pendingUpdates: [RequestID] = []

    private let session: MoQSession
    private let output: SendStream?
    private let input: ReceiveStream?
    private var hasReceivedSetup = false
    private var hasReceivedGoaway = false
    private var isDeaf = false
    /// Bytes of a stream that is complete but must wait.
    private var heldBytes: Bytes?

    /// Takes over a stream. Call ``activate()`` once it is in place.
    init(session: MoQSession, output: SendStream?, input: ReceiveStream?, purpose: Purpose, isOpenedByUs: Bool) {
        self.session = session
        self.output = output
        self.input = input
        self.purpose = purpose
        self.isOpenedByUs = isOpenedByUs
    }

    /// Starts to read.
    func activate() {
        self.output?.delegate = self
        self.input?.reader = self
    }

    /// Whether the stream belongs to one request.
    var isRequestStream: Bool {
        if case .request = self.purpose {
            return true
        }
        return false
    }

    /// Whether the first message of the stream has not come, and is waited for.
    var isUndecided: Bool {
        guard case .undecided = self.purpose else {
            return false
        }
        return !self.isDeaf
    }

    /// How many bytes wait to be sent.
    var queuedByteCount: Int {
        self.output?.queuedByteCount ?? 0
    }

    // MARK: Sending

    /// Sends the bytes of a message.
    func write(_ bytes: [UInt8]) throws(WebTransportError) {
        try self.output?.write { $0.append(contentsOf: bytes) }
    }

    /// Ends the sending direction.
    func finish() {
        try? self.output?.finish()
    }

    /// Ends both directions abruptly; nothing that still arrives is looked at.
    func abort(_ code: StreamResetCode) {
        let number = code.wireValue(in: self.session.profile)
        self.isDeaf = true
        self.request = nil
        self.output?.reset(code: number)
        self.input?.stopSending(code: number)
    }

    /// The request is over; what the peer still says about it is read and ignored.
    func requestEnded() {
        self.request = nil
    }

    // MARK: Receiving

    /// Ties the stream to the request that its first message makes.
    func begin(_ kind: RequestKind, id: RequestID) {
        self.purpose = .request(kind)
        self.output?.priority = .request
        self.requestID = id
    }

    /// Makes it a control stream: its first message was SETUP.
    func becomeControl() {
        self.purpose = .control
        self.output?.priority = .control
        self.hasReceivedSetup = true
    }

    /// Reads what had to wait for the setup or for the peer's confirmation.
    func resumeHeld() {
        guard let bytes = self.heldBytes else {
            self.input?.resume()
            return
        }
        self.heldBytes = nil
        _ = self.read(bytes.span, isFinished: true)
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        self.read(bytes, isFinished: isFinished)
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.peerCancelled("RESET_STREAM on a control stream", code)
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {}

    func sendStreamDidDrain(_ stream: SendStream) {
        self.request?.streamDidDrain()
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.peerCancelled("STOP_SENDING on a control stream", code)
    }

    func sendStreamDidComplete(_ stream: SendStream) {}

    /// What the peer's next message would be, and what an answer would be for.
    private var context: StreamContext {
        switch self.purpose {
        case .undecided:
            return self.session.awaitsControlStream ? .controlStart : .requestStart
        case .control:
            return self.hasReceivedSetup ? .control : .controlStart
        case .request(let kind):
            let update: RequestKind? = self.pendingUpdates.isEmpty ? nil : .requestUpdate
            guard self.isOpenedByUs else {
                return .requester(kind, answering: update)
            }
            return .responder(kind, answering: self.isAnswered ? update : kind)
        }
    }

    /// What came of an attempt to cut the next message off the bytes.
    private enum Step {
        case message(MoQMessage, length: Int)
        case needsMore
        case mustWait
    }

    private func read(_ bytes: RawSpan, isFinished: Bool) -> Int {
        var offset = 0
        do throws(ProtocolViolation) {
            reading: while self.canRead, offset < bytes.byteCount {
                let rest = bytes.extracting(offset...)
                switch try self.nextStep(rest) {
                case .needsMore:
                    break reading
                case .mustWait:
                    return self.wait(rest, consumed: offset, isFinished: isFinished)
                case .message(let message, let length):
                    offset += length
                    try self.take(message)
                }
            }
            if isFinished, self.canRead {
                guard offset == bytes.byteCount else {
                    throw .protocolViolation("stream ends inside a message")
                }
                try self.finished()
            }
        } catch {
            self.session.close(error)
        }
        return self.canRead ? offset : bytes.byteCount
    }

    /// Whether anybody listens.
    private var canRead: Bool {
        !self.isDeaf && self.session.isOpen
    }

    private func wait(_ rest: RawSpan, consumed: Int, isFinished: Bool) -> Int {
        guard self.session.hold(self) else {
            self.abort(.excessiveLoad)
            return consumed
        }
        self.input?.pause()
        guard isFinished else {
            return consumed
        }
        // What is left of a finished stream would be dropped, so it waits here instead.
        self.heldBytes = Bytes(copying: rest)
        return consumed + rest.byteCount
    }

    private func nextStep(_ bytes: RawSpan) throws(ProtocolViolation) -> Step {
        let isUndecided =
            if case .undecided = self.purpose { true } else { false }
        // Setting up may happen twice, requests may not: 0-RTT data is read up to SETUP (draft-18 section 3.3.1, RFC 9001
        // section 9.2).
        if isUndecided ? !self.session.awaitsControlStream && !self.session.takesRequests : self.mustWaitAfterSetup {
            return .mustWait
        }
        do throws(MoQWireError) {
            return try self.decode(bytes, context: self.context)
        } catch {
            guard isUndecided, self.session.awaitsControlStream else {
                throw ProtocolViolation(error.code, error.reason)
            }
        }
        // It is not the control stream. A request that overtook the control stream is fine, but has to wait for it.
        do throws(MoQWireError) {
            _ = try self.decode(bytes, context: .requestStart)
            return .mustWait
        } catch {
            throw ProtocolViolation(error.code, error.reason)
        }
    }

    /// Whether it is a control stream whose next message is not SETUP, and has come too early.
    private var mustWaitAfterSetup: Bool {
        guard case .control = self.purpose, self.hasReceivedSetup else {
            return false
        }
        return !self.session.transport.isConfirmed
    }

    private func decode(_ bytes: RawSpan, context: StreamContext) throws(MoQWireError) -> Step {
        guard let (message, length) = try self.session.decode(bytes, context: context) else {
            return .needsMore
        }
        return .message(message, length: length)
    }

    private func take(_ message: MoQMessage) throws(ProtocolViolation) {
        self.session.countReceivedMessage()
        switch self.purpose {
        case .undecided:
            try self.session.receiveFirst(message, on: self)
        case .control:
            self.hasReceivedSetup = true
            try self.session.receiveControl(message, on: self)
        case .request:
            try self.takeOfRequest(message)
        }
    }

    private func takeOfRequest(_ message: MoQMessage) throws(ProtocolViolation) {
        guard let id = self.requestID else {
            return
        }
        var message = message
        switch message {
        case .requestOk(let ok) where ok.answers == .requestUpdate:
            try self.answeredUpdate(&message, id: id)
        case .requestError(let error) where error.answers == .requestUpdate:
            try self.answeredUpdate(&message, id: id)
        case .subscribeOk, .publishOk, .fetchOk, .requestOk, .requestError:
            message.fillRequestID(id)
            self.isAnswered = true
            self.session.tokenRegistry.answered(id)
        case .goaway(let goaway):
            guard !self.hasReceivedGoaway else {
                throw .protocolViolation("second GOAWAY on a request stream")
            }
            guard self.session.role == .client || goaway.newSessionURI.isEmpty else {
                throw .protocolViolation("GOAWAY of a client with a URI")
            }
            self.hasReceivedGoaway = true
            if self.request != nil {
                self.session.receivedGoaway(goaway, for: id)
            }
            return
        case .requestUpdate(let update):
            try self.session.checkPeerRequest(update.requestID)
            try self.session.resolveTokens(of: &message)
            message.fillRequestID(id)
        default:
            message.fillRequestID(id)
        }
        guard let request = self.request else {
            self.session.countLateMessage()
            if case .requestUpdate = message {
                self.session.peerRequestEnded()
            }
            return
        }
        try request.receive(message)
    }

    private func answeredUpdate(_ message: inout MoQMessage, id: RequestID) throws(ProtocolViolation) {
        guard !self.pendingUpdates.isEmpty else {
            throw .protocolViolation("answer to a REQUEST_UPDATE that was not sent")
        }
        let update = self.pendingUpdates.removeFirst()
        message.fillRequestID(id, update: update)
        self.session.tokenRegistry.answered(update)
    }

    private func finished() throws(ProtocolViolation) {
        switch self.purpose {
        case .undecided:
            throw .protocolViolation("bidirectional stream without a message")
        case .control:
            throw .protocolViolation("FIN on a control stream")
        case .request:
            if let request = self.request {
                request.peerFinished()
            } else {
                self.finish()
            }
        }
    }

    private func peerCancelled(_ what: String, _ code: UInt64) {
        guard self.canRead else {
            return
        }
        self.peerCode = StreamResetCode(wireValue: code, in: self.session.profile)
        switch self.purpose {
        case .control:
            self.session.close(.protocolViolation(what))
        case .undecided:
            self.isDeaf = true
            self.output?.reset(code: StreamResetCode.cancelled.wireValue(in: self.session.profile))
        case .request:
            let request = self.request
            self.abort(.cancelled)
            request?.peerCancelled()
        }
    }
}
