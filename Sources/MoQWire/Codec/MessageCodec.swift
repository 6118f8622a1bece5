// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Turns control messages into the bytes of one draft and back (draft-18 §10, "Control Messages").
///
/// The codec has no state: it judges a message by its bytes, by where they come from (``StreamContext``) and by which side
/// of the connection it is on, and leaves to the session what depends on the messages before.
///
///     let codec = MessageCodec(profile: .draft18, role: .server)
///     switch try codec.decode(bytes, on: .requestStart) {
///     case .needMore: …                       // keep the bytes, come back with more
///     case .message(let message, let consumed): …
///     }
public struct MessageCodec: Sendable {
    /// What ``decode(_:on:)`` found.
    public enum Decoded: Sendable {
        /// The message is not complete. It takes at least so many bytes from its start, at most ``maximumFrameLength``.
        case needMore(minimum: Int)
        /// A message, and how many bytes it took.
        case message(MoQMessage, consumed: Int)
    }

    /// The most bytes that a message can take: its type, its length and 65,535 bytes of content.
    public static let maximumFrameLength = WireWriter.maximumIntegerLength + 2 + maximumContentLength
    /// The most bytes that the content of a message can take.
    public static let maximumContentLength = 65_535

    /// The draft.
    public let profile: DraftProfile
    /// The side of the connection that we are on: messages that are decoded come from the other side.
    public let role: Role

    /// Makes a codec for one side of a session.
    public init(profile: DraftProfile, role: Role) {
        self.profile = profile
        self.role = role
    }

    /// Reads one message from the start of `bytes`, which may hold less than one or more than one.
    ///
    /// - Throws: a violation with the code to close the session with, and with a reason that says how far the message could
    ///   be read. As soon as the type of a message is known to be wrong, that is, not only when the message is complete.
    public func decode(_ bytes: RawSpan, on context: StreamContext) throws(MoQWireError) -> Decoded {
        var reader = WireReader(bytes, integers: self.profile.coding.integers)
        guard let type = reader.nextInteger() else {
            return .needMore(minimum: bytes.byteCount + 1)
        }
        let kind = try self.kind(of: type, on: context)
        guard let length = reader.nextUInt16() else {
            return .needMore(minimum: reader.offset + 2)
        }
        let consumed = reader.offset + Int(length)
        guard Int(length) <= reader.remaining else {
            return .needMore(minimum: consumed)
        }
        let start = reader.offset
        var frame = try reader.readSlice(Int(length))
        do throws(MoQWireError) {
            let message = try self.decode(kind, from: &frame, on: context)
            guard frame.isAtEnd else {
                throw .violation("a message is shorter than its length")
            }
            return .message(message, consumed: consumed)
        } catch {
            throw error.located(in: kind.rawValue, at: start + frame.offset)
        }
    }

    /// Appends one message.
    ///
    /// - Throws: when the draft cannot say what the message says. `bytes` is then as it was.
    public func encode(_ message: MoQMessage, into bytes: inout [UInt8]) throws(MoQWireError) {
        let kind = self.kind(of: message)
        guard let row = self.profile.message(kind: kind) else {
            throw .notExpressible("\(self.profile) has no \(kind.rawValue)")
        }
        let integers = self.profile.coding.integers
        try WireWriter.append(to: &bytes, integers: integers) { writer throws(MoQWireError) in
            try writer.write(integer: row.type)
            let lengthIndex = writer.bytes.count
            writer.write(uint16: 0)
            try self.encode(message, into: &writer)
            let length = writer.bytes.count - lengthIndex - 2
            guard length <= Self.maximumContentLength else {
                throw .notExpressible("the message exceeds 65,535 bytes")
            }
            writer.patch(uint16: UInt16(length), at: lengthIndex)
        }
    }

    /// The bytes of one message.
    ///
    /// - Throws: when the draft cannot say what the message says.
    public func encode(_ message: MoQMessage) throws(MoQWireError) -> [UInt8] {
        var bytes: [UInt8] = []
        try self.encode(message, into: &bytes)
        return bytes
    }
}

extension MessageCodec {
    /// The message that a type stands for, if it may appear in this place.
    private func kind(of type: UInt64, on context: StreamContext) throws(MoQWireError) -> MessageKind {
        guard let row = self.profile.message(type: type) else {
            throw MoQWireError(code: .protocolViolation, reason: "unknown message type \(type)")
        }
        guard row.places.contains(StreamPlaces(context)) else {
            throw self.misplaced(row.kind)
        }
        switch row.kind {
        case .clientSetup:
            guard self.role == .server else {
                throw self.misplaced(row.kind)
            }
        case .serverSetup:
            guard self.role == .client else {
                throw self.misplaced(row.kind)
            }
        case .subscribeOk, .fetchOk, .publishOk:
            // An answer that nobody waits for, or the second one to the same request.
            guard context.streamKind == nil || context.answering == context.streamKind else {
                throw self.misplaced(row.kind)
            }
        case .requestOk, .requestError:
            guard context.streamKind == nil || context.answering != nil else {
                throw self.misplaced(row.kind)
            }
        default:
            guard self.mayPrecedeAnswer(on: context) else {
                throw self.misplaced(row.kind)
            }
        }
        return row.kind
    }

    /// Whether the draft allows anything but the answer in this place.
    private func mayPrecedeAnswer(on context: StreamContext) -> Bool {
        guard self.profile.namespaceAnswerComesFirst, case .responder(let kind, let answering) = context else {
            return true
        }
        return answering != kind || (kind != .subscribeNamespace && kind != .subscribeTracks)
    }

    func misplaced(_ kind: MessageKind) -> MoQWireError {
        MoQWireError(code: .protocolViolation, reason: "\(kind.rawValue) does not belong here")
    }

    /// The message of the draft that says what `message` says. Only a message that the draft can express has a meaningful
    /// one.
    public func kind(of message: MoQMessage) -> MessageKind {
        if self.profile.messageForm == .fields, let kind = self.fieldKind(of: message) {
            return kind
        }
        switch message {
        case .setup:
            guard self.profile.message(kind: .setup) == nil else {
                return .setup
            }
            return self.role == .client ? .clientSetup : .serverSetup
        case .goaway: return .goaway
        case .maxRequestID: return .maxRequestID
        case .requestsBlocked: return .requestsBlocked
        case .subscribe: return .subscribe
        case .subscribeOk: return .subscribeOk
        case .unsubscribe: return .unsubscribe
        case .requestUpdate: return .requestUpdate
        case .publish: return .publish
        case .publishOk: return self.profile.requestOkAnswersPublish ? .requestOk : .publishOk
        case .publishDone: return .publishDone
        case .publishNamespace: return .publishNamespace
        case .publishNamespaceDone: return .publishNamespaceDone
        case .publishNamespaceCancel: return .publishNamespaceCancel
        case .subscribeNamespace: return .subscribeNamespace
        case .unsubscribeNamespace: return .unsubscribeNamespace
        case .subscribeTracks: return .subscribeTracks
        case .namespace: return .namespace
        case .namespaceDone: return .namespaceDone
        case .publishBlocked: return .publishBlocked
        case .requestOk: return .requestOk
        case .requestError: return .requestError
        case .fetch: return .fetch
        case .fetchOk: return .fetchOk
        case .fetchCancel: return .fetchCancel
        case .trackStatus: return .trackStatus
        }
    }
}
