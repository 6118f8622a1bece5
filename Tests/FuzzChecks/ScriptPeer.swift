// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// The peer of a session: sends what the script says, and looks at what the session sends.
final class ScriptPeer: WebTransportHandler, ReceiveStreamReader {
    private enum Reading {
        /// A stream that carries messages, from its first byte.
        case messages(StreamContext)
        /// A unidirectional stream of which nothing is known yet.
        case unidirectional
        case subgroup(SubgroupStreamParser)
        /// Nothing that can be judged without knowing more than the peer does.
        case ignored
    }

    let transport: any WebTransportSession
    private let profile: DraftProfile
    private let findings: SessionFindings
    private let codec: MessageCodec
    private(set) var closes: [WebTransportCloseInfo] = []
    private(set) var control: SendStream?
    /// Request streams that the session opened.
    private(set) var requests: [BidirectionalStream] = []
    /// Request streams of this side.
    private(set) var own: [BidirectionalStream] = []
    /// Data streams of this side.
    private(set) var data: [SendStream] = []
    private var readings: [ObjectIdentifier: Reading] = [:]

    init(_ transport: any WebTransportSession, _ profile: DraftProfile, _ findings: SessionFindings) {
        self.transport = transport
        self.profile = profile
        self.findings = findings
        self.codec = MessageCodec(profile: profile, role: transport.role == .client ? .client : .server)
    }

    var role: Role {
        self.codec.role
    }

    /// Listens, and opens the control stream where this side does.
    func start() {
        self.transport.handler = self
        if self.profile.controlShape == .pairWithRequestStreams {
            self.control = try? self.transport.openUnidirectionalStream(priority: .default)
        } else if self.role == .client, let stream = try? self.transport.openBidirectionalStream(priority: .default) {
            self.control = stream.send
            self.readings[ObjectIdentifier(stream.receive)] = .messages(.controlStart)
            stream.receive.reader = self
        }
    }

    func bytes(_ message: MoQMessage) -> [UInt8] {
        (try? self.codec.encode(message)) ?? []
    }

    func sendControl(_ bytes: [UInt8]) {
        try? self.control?.write(Bytes(bytes))
    }

    /// Sends the first bytes of a request, on a stream of its own or where the draft has requests.
    func request(_ bytes: [UInt8], onOwnStream: Bool) {
        guard onOwnStream else {
            self.sendControl(bytes)
            return
        }
        guard self.own.count < 64, let stream = try? self.transport.openBidirectionalStream(priority: .default) else {
            return
        }
        self.own.append(stream)
        self.readings[ObjectIdentifier(stream.receive)] = .ignored
        stream.receive.reader = self
        try? stream.send.write(Bytes(bytes))
    }

    func openData(_ bytes: [UInt8], isFinal: Bool) {
        guard self.data.count < 64, let stream = try? self.transport.openUnidirectionalStream(priority: .default) else {
            return
        }
        self.data.append(stream)
        try? stream.write(Bytes(bytes))
        if isFinal {
            try? stream.finish()
        }
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        self.readings[ObjectIdentifier(stream)] = .unidirectional
        stream.reader = self
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        if self.profile.controlShape == .singleBidirectional, self.role == .server, self.control == nil {
            self.control = stream.send
            self.readings[ObjectIdentifier(stream.receive)] = .messages(.controlStart)
        } else {
            self.requests.append(stream)
            self.readings[ObjectIdentifier(stream.receive)] = .messages(.requestStart)
        }
        stream.receive.reader = self
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        do {
            _ = try DatagramCodec(profile: self.profile).decode(bytes)
        } catch {
            self.findings.add("the session sends a datagram that is none: \(error)")
        }
    }

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.closes.append(info)
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.readings[ObjectIdentifier(stream)] = nil
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        self.readings[ObjectIdentifier(stream)] = nil
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        let key = ObjectIdentifier(stream)
        var offset = 0
        do {
            while let (next, consumed) = try self.read(bytes.extracting(offset...), self.readings[key] ?? .ignored) {
                self.readings[key] = next
                offset += consumed
            }
            if isFinished {
                if case .subgroup(let parser) = self.readings[key] {
                    try parser.finish(unread: bytes.byteCount - offset)
                }
                self.readings[key] = nil
            }
        } catch {
            self.findings.add("the session sends what its draft forbids: \(error)")
            self.readings[key] = .ignored
            return bytes.byteCount
        }
        return offset
    }

    /// Reads on; nil when the bytes do not suffice.
    private func read(_ bytes: RawSpan, _ reading: Reading) throws(MoQWireError) -> (Reading, consumed: Int)? {
        guard bytes.byteCount > 0 else {
            return nil
        }
        switch reading {
        case .ignored:
            return (.ignored, bytes.byteCount)
        case .messages(let context):
            guard case .message(let message, let consumed) = try self.codec.decode(bytes, on: context) else {
                return nil
            }
            switch context {
            case .controlStart:
                self.findings.expect(message.name.hasSuffix("SETUP"), "the session begins with \(message.name)")
                return (.messages(.control), consumed)
            case .requestStart:
                self.findings.expect(message.requestKind != nil, "the session begins a request with \(message.name)")
                return (.ignored, consumed)
            case .control, .requester, .responder:
                return (.messages(context), consumed)
            }
        case .unidirectional:
            switch try UniStreamType.decode(bytes, in: self.profile) {
            case nil: return nil
            case .control: return (.messages(.controlStart), 0)
            case .subgroup: return (.subgroup(SubgroupStreamParser(profile: self.profile)), 0)
            case .fetch, .padding: return (.ignored, 0)
            }
        case .subgroup(var parser):
            let (event, consumed) = try parser.next(in: bytes)
            return event == .needMore ? nil : (.subgroup(parser), consumed)
        }
    }
}
