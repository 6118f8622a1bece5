// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// A client that says whatever a test wants it to say, right or wrong. Loop only.
final class Attacker: WebTransportHandler, ReceiveStreamReader {
    private let transport: any WebTransportSession
    private let profile: DraftProfile
    private let journal: Journal
    private var control: SendStream?

    /// Listens, and sends SETUP when `setsUp` says so.
    init(_ transport: any WebTransportSession, profile: DraftProfile, setsUp: Bool, journal: Journal) throws {
        self.transport = transport
        self.profile = profile
        self.journal = journal
        transport.handler = self
        if setsUp {
            var options = SetupOptions()
            if profile.hasRequestLimit {
                options.maxRequestID = RequestID(100)
            }
            if profile.setupNegotiatesVersion {
                options.versions = [profile.version.setupNumber]
            }
            try self.open(control: self.bytes(.setup(Setup(options: options))))
        }
    }

    /// A message as a client of the draft writes it.
    func bytes(_ message: MoQMessage) throws -> [UInt8] {
        try MessageCodec(profile: self.profile, role: .client).encode(message)
    }

    /// A GOAWAY as the draft wants it.
    var goaway: Goaway {
        self.profile.goawayForm == .uriTimeoutRequestID ? Goaway(requestID: RequestID(1)) : Goaway()
    }

    /// Opens the stream that SETUP belongs on, and sends something on it.
    func open(control bytes: [UInt8]) throws {
        switch self.profile.controlShape {
        case .pairWithRequestStreams:
            self.control = try self.transport.openUnidirectionalStream(priority: .control)
        case .singleBidirectional:
            let pair = try self.transport.openBidirectionalStream(priority: .control)
            pair.receive.reader = self
            self.control = pair.send
        }
        try self.control?.write(Bytes(bytes))
    }

    func sendControl(raw bytes: [UInt8]) throws {
        try self.control?.write(Bytes(bytes))
    }

    func resetControl() {
        self.control?.reset(code: 0)
    }

    func send(unidirectional bytes: [UInt8], isFinished: Bool = false) throws {
        let stream = try self.transport.openUnidirectionalStream(priority: .default)
        try stream.write(Bytes(bytes))
        if isFinished {
            try stream.finish()
        }
    }

    @discardableResult
    func send(bidirectional bytes: [UInt8]) throws -> SendStream {
        let pair = try self.transport.openBidirectionalStream(priority: .request)
        pair.receive.reader = self
        try pair.send.write(Bytes(bytes))
        return pair.send
    }

    func send(datagram bytes: [UInt8]) throws {
        try self.transport.sendDatagram(Bytes(bytes))
    }

    /// Subscribes, where the draft wants that, with an id of the test's choice.
    func request(id: RequestID) throws {
        let track = FullTrackName(namespace: TrackNamespace(["garbage"]), name: "t")
        let message = try self.bytes(.subscribe(Subscribe(requestID: id, track: track)))
        switch self.profile.controlShape {
        case .pairWithRequestStreams: try self.send(bidirectional: message)
        case .singleBidirectional: try self.sendControl(raw: message)
        }
    }

    /// Random bytes everywhere, some behind a beginning that is right, some cut off or reset. The same for the same seed.
    func makeNoise(seed: UInt64) throws {
        var noise = Noise(state: seed)
        for _ in 0..<30 {
            var bytes = (0..<Int.random(in: 1...600, using: &noise)).map { _ in
                UInt8.random(in: 0...255, using: &noise)
            }
            switch Int.random(in: 0..<6, using: &noise) {
            case 0:
                try self.send(unidirectional: bytes, isFinished: .random(using: &noise))
            case 1:
                bytes[0] = 0x10 | bytes[0] & 0x0D
                try self.send(unidirectional: bytes, isFinished: .random(using: &noise))
            case 2:
                let stream = try self.send(bidirectional: bytes)
                if Bool.random(using: &noise) {
                    stream.reset(code: noise.next() >> 2)
                }
            case 3:
                // SUBSCRIBE with a plausible length and noise in it.
                let length = UInt8(truncatingIfNeeded: min(bytes.count, 200))
                try self.send(bidirectional: [0x03, 0, length] + bytes)
            case 4:
                try self.send(datagram: bytes)
            default:
                if seed.isMultiple(of: 3) {
                    try self.sendControl(raw: bytes)
                }
            }
        }
    }

    // MARK: What comes back

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        stream.reader = self
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        stream.receive.reader = self
    }

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {}

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        let origin: MoQSessionClosure.Origin =
            switch info.origin {
            case .local: .local
            case .peer: .peer
            case .transport(let cause): .transport(cause.rawValue)
            }
        let code = SessionErrorCode(wireValue: info.code, in: self.profile)
        self.journal.note {
            $0.closures.append(MoQSessionClosure(origin: origin, code: code, reason: info.reason))
        }
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        bytes.byteCount
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {}
    func receiveStreamSessionClosed(_ stream: ReceiveStream) {}
}

/// Numbers that look random and are the same for the same start (SplitMix64).
struct Noise: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
