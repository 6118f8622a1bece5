// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// A peer that says whatever a test wants it to say, right or wrong.
final class RawPeer: WebTransportHandler, ReceiveStreamReader {
    let transport: any WebTransportSession
    let profile: DraftProfile
    let role: Role
    var closes: [WebTransportCloseInfo] = []
    /// What arrived, as far as it is control messages, and on which stream.
    var messages: [MoQMessage] = []
    var control: SendStream?
    /// Where the session's control messages come from.
    private(set) var controlInput: ReceiveStream?
    var resets: [UInt64] = []
    /// Streams that the session under test opened.
    var requests: [BidirectionalStream] = []
    /// Unidirectional streams that the session under test opened.
    var dataStreams: [ReceiveStream] = []
    /// What this side says in SETUP.
    private(set) var ownSetup = SetupOptions()
    private var contexts: [ObjectIdentifier: StreamContext] = [:]

    init(_ transport: any WebTransportSession, profile: DraftProfile) {
        self.transport = transport
        self.profile = profile
        self.role = transport.role == .client ? .client : .server
    }

    func listen() {
        self.transport.handler = self
    }

    /// Opens the control stream and sends SETUP, as this side of the draft does.
    func setUp(_ options: SetupOptions = SetupOptions()) throws {
        var options = options
        if self.profile.hasRequestLimit, options.maxRequestID == nil {
            options.maxRequestID = RequestID(1_000)
        }
        if self.profile.setupNegotiatesVersion, options.versions.isEmpty {
            options.versions = [self.profile.version.setupNumber]
        }
        if self.profile.controlShape == .pairWithRequestStreams {
            self.control = try self.transport.openUnidirectionalStream(priority: .control)
        } else if self.role == .client {
            let stream = try self.transport.openBidirectionalStream(priority: .control)
            self.control = stream.send
            self.controlInput = stream.receive
            self.read(stream.receive, .controlStart)
        }
        self.ownSetup = options
        if self.control != nil {
            try self.sendControl(.setup(Setup(options: options)))
        }
        self.listen()
    }

    /// A GOAWAY as the draft wants it.
    var goaway: Goaway {
        guard self.profile.goawayForm == .uriTimeoutRequestID else {
            return Goaway()
        }
        return Goaway(requestID: RequestID(self.role == .client ? 1 : 0))
    }

    func bytes(_ message: MoQMessage) throws -> [UInt8] {
        try MessageCodec(profile: self.profile, role: self.role).encode(message)
    }

    func sendControl(_ message: MoQMessage) throws {
        try self.sendControl(raw: try self.bytes(message))
    }

    func sendControl(raw bytes: [UInt8]) throws {
        try self.control?.write(Bytes(bytes))
    }

    /// Makes a request, on its own stream where the draft wants that.
    @discardableResult
    func request(_ message: MoQMessage) throws -> BidirectionalStream? {
        let kind = message.requestKind
        guard let kind, self.profile.hasOwnStream(kind) else {
            try self.sendControl(message)
            return nil
        }
        let stream = try self.transport.openBidirectionalStream(priority: .request)
        self.read(stream.receive, .responder(kind, answering: kind))
        try stream.send.write(Bytes(try self.bytes(message)))
        return stream
    }

    /// Answers the session's last request, on its stream where the draft wants that.
    func reply(_ message: MoQMessage) throws {
        guard self.profile.controlShape == .pairWithRequestStreams, let stream = self.requests.last else {
            try self.sendControl(message)
            return
        }
        try stream.send.write(Bytes(try self.bytes(message)))
    }

    /// The bytes of a fetch stream. `body` writes what follows the header.
    func fetchStream(
        _ id: RequestID,
        order: GroupOrder = .ascending,
        _ body: (inout FetchStreamEncoder, inout [UInt8]) throws -> Void = { _, _ in }
    ) throws -> [UInt8] {
        var encoder = FetchStreamEncoder(profile: self.profile, groupOrder: order)
        var bytes: [UInt8] = []
        try encoder.encode(requestID: id, into: &bytes)
        try body(&encoder, &bytes)
        return bytes
    }

    /// Sends a unidirectional stream.
    @discardableResult
    func send(uni bytes: [UInt8], finish: Bool = false) throws -> SendStream {
        let stream = try self.transport.openUnidirectionalStream(priority: .default)
        try stream.write(Bytes(bytes))
        if finish {
            try stream.finish()
        }
        return stream
    }

    /// The bytes of a subgroup stream. Where it has to say its priority, that is the default.
    func subgroup(_ header: SubgroupHeader, _ objects: [(UInt64, [UInt8])]) throws -> [UInt8] {
        var header = header
        if !self.profile.data.prioritiesMayBeLeftOut {
            header.publisherPriority = header.publisherPriority ?? 128
        }
        var encoder = SubgroupStreamEncoder(profile: self.profile)
        var bytes: [UInt8] = []
        try encoder.encode(header, into: &bytes)
        for (id, payload) in objects {
            try encoder.encode(ObjectHeader(objectID: id, payloadLength: UInt64(payload.count)), into: &bytes)
            bytes += payload
        }
        return bytes
    }

    /// The code that the session under test closed with.
    var closeCode: SessionErrorCode? {
        self.closes.first.map { SessionErrorCode(wireValue: $0.code, in: self.profile) }
    }

    private func read(_ stream: ReceiveStream, _ context: StreamContext) {
        self.contexts[ObjectIdentifier(stream)] = context
        stream.reader = self
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        if self.profile.controlShape == .pairWithRequestStreams, self.controlInput == nil {
            self.controlInput = stream
        }
        self.dataStreams.append(stream)
        self.read(stream, .controlStart)
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        if self.profile.controlShape == .singleBidirectional, self.role == .server, self.control == nil {
            self.control = stream.send
            self.controlInput = stream.receive
            self.read(stream.receive, .controlStart)
        } else {
            self.requests.append(stream)
            self.read(stream.receive, .requestStart)
        }
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {}

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.closes.append(info)
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        let codec = MessageCodec(profile: self.profile, role: self.role)
        var offset = 0
        while offset < bytes.byteCount, let context = self.contexts[ObjectIdentifier(stream)] {
            guard
                case .message(let message, let consumed) = try? codec.decode(
                    bytes.extracting(offset...),
                    on: context
                )
            else {
                break
            }
            offset += consumed
            self.messages.append(message)
            switch context {
            case .controlStart:
                self.contexts[ObjectIdentifier(stream)] = .control
                if self.profile.controlShape == .singleBidirectional, self.role == .server {
                    try? self.sendControl(.setup(Setup(options: self.ownSetup)))
                }
            case .requestStart:
                if let kind = message.requestKind {
                    self.contexts[ObjectIdentifier(stream)] = .requester(kind)
                }
            case .responder(let kind, _):
                self.contexts[ObjectIdentifier(stream)] = .responder(kind, answering: .requestUpdate)
            case .control, .requester:
                break
            }
        }
        return self.contexts[ObjectIdentifier(stream)] == nil ? bytes.byteCount : offset
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.resets.append(code)
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {}
}
