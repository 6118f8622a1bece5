// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Decodes bytes of one draft without a session, and says them again with the draft's encoder.
struct WireDecoder: Sendable {
    /// What the bytes are.
    enum Kind: String, CaseIterable, Sendable {
        /// Messages of a control stream.
        case control
        /// One side of a bidirectional request stream, from its first byte.
        case request
        /// A whole unidirectional stream.
        case uni
        /// One datagram.
        case datagram
        /// One integer.
        case varint
    }

    /// The draft.
    let profile: DraftProfile
    /// What the bytes are.
    let kind: Kind
    /// The request whose answering side a request stream is; nil for the side that asks.
    var answers: RequestKind?
    /// The group order of the request that a fetch stream answers.
    var groupOrder: GroupOrder = .ascending

    /// Decodes what fills the bytes. A violation is the last item, if there is one.
    func decode(_ bytes: [UInt8]) -> [DecodedItem] {
        do throws(MoQWireError) {
            switch self.kind {
            case .control, .request:
                return self.messages(in: bytes)
            case .uni:
                return try self.uni(bytes)
            case .datagram:
                return [try DataDecoder(profile: self.profile).datagram(bytes)]
            case .varint:
                return [try self.varint(bytes)]
            }
        } catch {
            return [.violation(error)]
        }
    }

    private func varint(_ bytes: [UInt8]) throws(MoQWireError) -> DecodedItem {
        var reader = unsafe WireReader(bytes.span.bytes, integers: self.profile.coding.integers)
        guard let value = reader.nextInteger() else {
            throw MoQWireError(code: .protocolViolation, reason: "the integer is not complete")
        }
        guard reader.isAtEnd else {
            let reason = "the integer ends at byte \(reader.offset) of \(bytes.count)"
            throw MoQWireError(code: .protocolViolation, reason: reason)
        }
        var writer = WireWriter(integers: self.profile.coding.integers)
        try writer.write(integer: value)
        var fields = JSONObject()
        fields.add("value", value)
        return .decoded(name: "VARINT", fields: fields, reencoded: writer.bytes)
    }

    private func uni(_ bytes: [UInt8]) throws(MoQWireError) -> [DecodedItem] {
        let data = DataDecoder(profile: self.profile, groupOrder: self.groupOrder)
        switch try UniStreamType.decode(unsafe bytes.span.bytes, in: self.profile) {
        case nil:
            throw MoQWireError(code: .protocolViolation, reason: "the stream ends within its type")
        case .control:
            return self.messages(in: bytes)
        case .subgroup:
            return [try data.subgroup(bytes)]
        case .fetch:
            return [try data.fetch(bytes)]
        case .padding:
            return [try data.padding(bytes)]
        }
    }

    // MARK: Messages

    /// Decodes messages, whichever side has sent them: most can come from either, and those that cannot say it themselves.
    private func messages(in bytes: [UInt8]) -> [DecodedItem] {
        let fromClient = self.messages(in: bytes, to: .server)
        guard case .violation = fromClient.last else {
            return fromClient
        }
        let fromServer = self.messages(in: bytes, to: .client)
        guard case .violation = fromServer.last, self.firstKind(of: bytes) != .serverSetup else {
            return fromServer
        }
        // Whoever got further is more likely to be the sender.
        return fromServer.count > fromClient.count ? fromServer : fromClient
    }

    private func messages(in bytes: [UInt8], to role: Role) -> [DecodedItem] {
        let codec = MessageCodec(profile: self.profile, role: role)
        let sender = MessageCodec(profile: self.profile, role: role.peer)
        var items: [DecodedItem] = []
        var context = self.firstContext(of: bytes)
        var offset = 0
        repeat {
            do throws(MoQWireError) {
                let rest = unsafe bytes.span.bytes.extracting(offset..<bytes.count)
                switch try codec.decode(rest, on: context) {
                case .needMore(let minimum):
                    let missing = minimum - (bytes.count - offset)
                    let reason = "the message at byte \(offset) lacks at least \(missing) bytes"
                    throw MoQWireError(code: .protocolViolation, reason: reason)
                case .message(let message, let consumed):
                    var again = Reencoding()
                    again.append { bytes throws(MoQWireError) in try sender.encode(message, into: &bytes) }
                    let kind = sender.kind(of: message)
                    let fields = MessageFields(message, kind, in: self.profile).object
                    items.append(.decoded(name: kind.rawValue, fields: fields, reencoded: again.bytes))
                    offset += consumed
                    context = Self.context(after: message, on: context)
                }
            } catch {
                return items + [.violation(error)]
            }
        } while offset < bytes.count
        return items
    }

    /// The message that the bytes begin with, if the draft has it.
    private func firstKind(of bytes: [UInt8]) -> MessageKind? {
        var reader = unsafe WireReader(bytes.span.bytes, integers: self.profile.coding.integers)
        guard let type = reader.nextInteger() else {
            return nil
        }
        return self.profile.messages.first { $0.type == type }?.kind
    }

    private func firstContext(of bytes: [UInt8]) -> StreamContext {
        guard self.kind == .request else {
            switch self.firstKind(of: bytes) {
            case .clientSetup, .serverSetup, .setup: return .controlStart
            default: return self.kind == .uni ? .controlStart : .control
            }
        }
        switch self.answers {
        case nil: return .requestStart
        // Of the requests that can be updated, any has this answer.
        case .requestUpdate: return .responder(.subscribe, answering: .requestUpdate)
        case let request?: return .responder(request, answering: request)
        }
    }

    private static func context(after message: MoQMessage, on context: StreamContext) -> StreamContext {
        switch context {
        case .controlStart, .control:
            return .control
        case .requestStart:
            // Only a publication is updated by the other side, so that the side that asked has something to answer.
            guard let kind = message.requestKind else {
                return .control
            }
            return .requester(kind, answering: kind == .publish ? .requestUpdate : nil)
        case .requester:
            return context
        case .responder(let kind, _):
            switch message {
            case .subscribeOk, .publishOk, .fetchOk, .requestOk, .requestError:
                // What else is answered on this stream can only be updates.
                return .responder(kind, answering: .requestUpdate)
            default:
                return context
            }
        }
    }
}
