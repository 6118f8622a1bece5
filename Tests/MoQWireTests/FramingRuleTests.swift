// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

/// What a peer may not do to frames, streams and setups. Tests are named after the rules of the conformance list.
@Suite("Rules of framing and setup")
struct FramingRuleTests {
    private static let everywhere: [StreamContext] =
        [.controlStart, .control, .requestStart]
        + RequestKind.allCases.filter { $0 != .requestUpdate }.flatMap { kind in
            [
                StreamContext.requester(kind), .requester(kind, answering: .requestUpdate),
                .responder(kind, answering: kind), .responder(kind, answering: .requestUpdate),
                .responder(kind, answering: nil),
            ]
        }

    @Test("C1: an unknown message type closes the session at once", arguments: DraftProfile.all)
    func unknownType(profile: DraftProfile) throws {
        let known = Set(profile.messages.map(\.type))
        for type in UInt64(0)..<0x80 where !known.contains(type) {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(integer: type)
            for context in Self.everywhere {
                #expect(rejection(writer.bytes, profile, on: context) == .protocolViolation)
            }
        }
    }

    @Test("C1: message types of other drafts are unknown")
    func foreignTypes() throws {
        for type: UInt64 in [0x20, 0x21, 0x15, 0x1A, 0x0A, 0x17, 0x09, 0x0C, 0x11] {
            #expect(rejection(try frame(type, [], .draft18), .draft18, on: .control) == .protocolViolation)
        }
        for type: UInt64 in [0x50, 0x51, 0x2F00, 0x0F, 0x12, 0x13, 0x14, 0x19, 0x1F] {
            #expect(rejection(try frame(type, [], .draft16), .draft16, on: .control) == .protocolViolation)
        }
        for type: UInt64 in [0x01, 0x40, 0x41, 0x50, 0x51, 0x2F00] {
            #expect(rejection(try frame(type, [], .draft14), .draft14, on: .control) == .protocolViolation)
        }
    }

    @Test("C2: a message that is longer or shorter than its length is refused", arguments: DraftProfile.all)
    func wrongLength(profile: DraftProfile) throws {
        for sample in try MessageSamples.all(profile) {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            var reader = unsafe WireReader(bytes.span.bytes, integers: profile.coding.integers)
            let type = try reader.readInteger()
            _ = reader.nextUInt16()
            let content = reader.readRest()
            let role = sample.sender.peer
            // One byte more than the fields need; what ends with properties or options would take it for the next one.
            let longer = try frame(type, content + [0x80], profile)
            #expect(rejection(longer, profile, on: sample.context, role: role) == .protocolViolation)
            guard !content.isEmpty else {
                continue
            }
            let shorter = try frame(type, content.dropLast(), profile)
            #expect(rejection(shorter, profile, on: sample.context, role: role) != nil, "\(sample.message)")
        }
    }

    @Test("C2: more parameters than there is room for are refused", arguments: DraftProfile.all)
    func parameterCount(profile: DraftProfile) throws {
        var writer = WireWriter(integers: profile.coding.integers)
        writer.write(bytes: [0, 1, 1, 0x61, 0])
        try writer.write(integer: 1 << 61)
        let bytes = try frame(0x0D, writer.bytes, profile)
        #expect(rejection(bytes, profile, on: Places(profile).request) == .protocolViolation)
    }

    @Test("C3, S1: a message is refused wherever its draft does not allow it", arguments: DraftProfile.withParameters)
    func places(profile: DraftProfile) throws {
        for row in profile.messages {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(integer: row.type)
            for context in Self.everywhere {
                // The type alone decides, whatever side of the connection we are on.
                let accepted = [Role.client, .server].contains {
                    rejection(writer.bytes, profile, on: context, role: $0) == nil
                }
                #expect(accepted == self.isAllowed(row.kind, profile, on: context), "\(row.kind) on \(context)")
            }
        }
    }

    /// The rules of the drafts in words rather than in tables.
    private func isAllowed(_ kind: MessageKind, _ profile: DraftProfile, on context: StreamContext) -> Bool {
        let modern = profile.version >= .draft18
        switch context {
        case .controlStart:
            return kind == .setup || kind == .clientSetup || kind == .serverSetup
        case .control:
            guard !modern else {
                return kind == .goaway
            }
            return ![.clientSetup, .serverSetup, .subscribeNamespace, .namespace, .namespaceDone].contains(kind)
        case .requestStart:
            let requests: [MessageKind] = [
                .subscribe, .publish, .fetch, .trackStatus, .publishNamespace, .subscribeNamespace, .subscribeTracks,
            ]
            return modern ? requests.contains(kind) : kind == .clientSetup || kind == .subscribeNamespace
        case .requester(let stream, let answering):
            guard modern else {
                return stream == .subscribeNamespace && kind == .requestUpdate
            }
            switch kind {
            case .goaway: return true
            case .requestUpdate: return stream != .trackStatus
            case .publishDone: return stream == .publish
            case .requestOk, .requestError: return answering != nil
            default: return false
            }
        case .responder(let stream, let answering):
            guard modern || stream == .subscribeNamespace else {
                return false
            }
            let isNamespaces = stream == .subscribeNamespace || stream == .subscribeTracks
            let mustAnswer = modern && isNamespaces && answering == stream
            switch kind {
            case .goaway: return modern && !mustAnswer
            case .requestUpdate: return stream == .publish
            case .publishDone: return stream == .subscribe
            case .subscribeOk: return stream == .subscribe && answering == stream
            case .fetchOk: return stream == .fetch && answering == stream
            case .publishOk: return stream == .publish && answering == stream
            case .requestOk, .requestError: return answering != nil
            case .namespace, .namespaceDone: return stream == .subscribeNamespace && !mustAnswer
            case .publishBlocked: return stream == .subscribeTracks && !mustAnswer
            default: return false
            }
        }
    }

    @Test("C3: each side has its own setup up to draft 16", arguments: [DraftProfile.draft16, .draft14])
    func setupOfTheWrongSide(profile: DraftProfile) throws {
        let fromClient = try self.setup([], count: 0, profile, by: .client)
        let fromServer = try self.setup([], count: 0, profile, by: .server)
        #expect(rejection(fromClient, profile, on: .controlStart, role: .server) == nil)
        #expect(rejection(fromServer, profile, on: .controlStart, role: .client) == nil)
        #expect(rejection(fromClient, profile, on: .controlStart, role: .client) == .protocolViolation)
        #expect(rejection(fromServer, profile, on: .controlStart, role: .server) == .protocolViolation)
    }

    @Test("C3: REQUEST_OK does not answer SUBSCRIBE or FETCH", arguments: [RequestKind.subscribe, .fetch])
    func wrongAnswer(kind: RequestKind) throws {
        let bytes = try frame(0x07, [0], .draft18)
        #expect(rejection(bytes, .draft18, on: .responder(kind, answering: kind)) == .protocolViolation)
    }

    @Test("PUBLISH_OK is read under its old number, too")
    func oldPublishOk() throws {
        let message = try MessageCodec(profile: .draft18, role: .client)
            .message(try frame(0x1E, [0], .draft18), on: .responder(.publish, answering: .publish))
        #expect(message == .publishOk(PublishOk()))
    }

    // MARK: - Setup

    private func setup(_ content: [UInt8], count: UInt8, _ profile: DraftProfile, by sender: Role) throws -> [UInt8] {
        guard profile.setupOptionsAreCounted else {
            return try frame(0x2F00, content, profile)
        }
        var versions: [UInt8] = []
        if profile.setupNegotiatesVersion {
            versions = (sender == .client ? [1] : []) + [0xC0, 0, 0, 0, 0xFF, 0, 0, 0x0E]
        }
        return try frame(sender == .client ? 0x20 : 0x21, versions + [count] + content, profile)
    }

    private func setupRejection(
        _ content: [UInt8],
        count: UInt8 = 1,
        _ profile: DraftProfile,
        by sender: Role = .client
    ) throws -> SessionErrorCode? {
        let bytes = try self.setup(content, count: count, profile, by: sender)
        return rejection(bytes, profile, on: .controlStart, role: sender.peer)
    }

    @Test(
        "A1, A2: a server has no path and no authority, and a client only proper ones",
        arguments: DraftProfile.all
    )
    func pathAndAuthority(profile: DraftProfile) throws {
        #expect(try self.setupRejection([0x01, 1, 0x2F], profile) == nil)
        #expect(try self.setupRejection([0x01, 1, 0x2F], profile, by: .server) == .invalidPath)
        #expect(try self.setupRejection([0x05, 1, 0x61], profile, by: .server) == .invalidAuthority)
        for path in ["a", "/ ", "/#", "/%4", "/%zz", "/\u{E9}"] {
            let bytes = Array(path.utf8)
            #expect(try self.setupRejection([0x01, UInt8(bytes.count)] + bytes, profile) == .malformedPath)
        }
        for authority in ["a/b", "a b", "a?b"] {
            let bytes = Array(authority.utf8)
            #expect(try self.setupRejection([0x05, UInt8(bytes.count)] + bytes, profile) == .malformedAuthority)
        }
    }

    @Test("A3: a client's setup cannot refer to aliases", arguments: DraftProfile.all)
    func aliasInSetup(profile: DraftProfile) throws {
        for aliasType: UInt8 in [0, 2] {
            #expect(try self.setupRejection([0x03, 2, aliasType, 1], profile) == .protocolViolation)
            #expect(try self.setupRejection([0x03, 2, aliasType, 1], profile, by: .server) == nil)
        }
    }

    @Test("P2: a known setup option may be repeated in draft 18 only, an unknown one anywhere")
    func repeatedOption() throws {
        let twice: [UInt8] = [0x04, 9, 0x00, 10]
        #expect(try self.setupRejection(twice, count: 2, .draft16) == .protocolViolation)
        #expect(try self.setupRejection([0x04, 9, 0x04, 10], count: 2, .draft14) == .protocolViolation)
        #expect(try self.setupRejection([0x20, 9, 0x20, 10], count: 2, .draft14) == nil)
        let decoded = try MessageCodec(profile: .draft18, role: .server)
            .message(try self.setup(twice, count: 2, .draft18, by: .client), on: .controlStart)
        #expect(decoded == .setup(Setup(options: SetupOptions(maxAuthTokenCacheSize: 9))))
        for profile in DraftProfile.all {
            #expect(try self.setupRejection([0x20, 9, 0x00, 10], count: 2, profile) == nil)
        }
    }

    @Test("C2: the number of setup options must fit up to draft 16", arguments: [0, 1, 3])
    func optionCount(count: UInt8) throws {
        #expect(try self.setupRejection([0x20, 9, 0x00, 10], count: count, .draft16) == .protocolViolation)
        #expect(try self.setupRejection([0x20, 9, 0x22, 10], count: count, .draft14) == .protocolViolation)
    }

    @Test("K1: the type of a pair cannot exceed 64 bits")
    func pairTypeOverflow() throws {
        let large = [UInt8](repeating: 0xFF, count: 9)
        #expect(try self.setupRejection(large + [0] + [1, 0], .draft18) == .protocolViolation)
        #expect(try self.setupRejection(large + [0], .draft18) == nil)
        // QUIC's integers need five to get there.
        let quarter = [UInt8](repeating: 0xFF, count: 8)
        let pair = quarter + [0]
        let pairs = pair + (pair + pair) + (pair + pair)
        #expect(try self.setupRejection(pairs, count: 5, .draft16) == .protocolViolation)
    }

    @Test("K2: the value of a pair cannot exceed 65,535 bytes", arguments: DraftProfile.all)
    func pairLength(profile: DraftProfile) throws {
        var writer = WireWriter(integers: profile.coding.integers)
        try writer.write(integer: 0x21)
        try writer.write(integer: 65_536)
        #expect(try self.setupRejection(writer.bytes, profile) == .protocolViolation)
    }

    @Test("K3: a token that cannot be read is a formatting error", arguments: DraftProfile.all)
    func brokenToken(profile: DraftProfile) throws {
        for token: [UInt8] in [[], [4], [1, 1], [3], [2, 1, 1], [0, 1, 1], [2]] {
            let content = [0x03, UInt8(token.count)] + token
            #expect(try self.setupRejection(content, profile, by: .server) == .keyValueFormattingError)
        }
    }

    // MARK: - GOAWAY

    @Test("G1: a URI of more than 8,192 bytes is refused", arguments: DraftProfile.all)
    func longURI(profile: DraftProfile) throws {
        for (length, expected) in [(8_192, nil), (8_193, SessionErrorCode.protocolViolation)] {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(prefixed: String(repeating: "a", count: length))
            if profile.version >= .draft18 {
                writer.write(bytes: [0, 0])
            }
            let bytes = try frame(0x10, writer.bytes, profile)
            #expect(rejection(bytes, profile, on: .control, role: .client) == expected)
        }
    }

    @Test("G2: a client cannot send a URI", arguments: DraftProfile.all)
    func uriFromClient(profile: DraftProfile) throws {
        let rest: [UInt8] = profile.version >= .draft18 ? [0, 1] : []
        #expect(rejection(try frame(0x10, [1, 0x61] + rest, profile), profile, on: .control) == .protocolViolation)
        #expect(rejection(try frame(0x10, [0] + rest, profile), profile, on: .control) == nil)
    }

    @Test("G4: the request id of GOAWAY is one of the receiver's")
    func parity() throws {
        #expect(rejection(try frame(0x10, [0, 0, 2], .draft18), .draft18, on: .control) == .invalidRequestID)
        #expect(rejection(try frame(0x10, [0, 0, 3], .draft18), .draft18, on: .control) == nil)
        #expect(
            rejection(try frame(0x10, [0, 0, 3], .draft18), .draft18, on: .control, role: .client) == .invalidRequestID
        )
    }

    @Test("G3: a client cannot redirect to a URI, and a namespace not to a track")
    func redirects() throws {
        func rejected(_ content: [UInt8], _ kind: RequestKind, _ role: Role) throws -> SessionErrorCode? {
            rejection(
                try frame(0x05, [0x34, 0, 0] + content, .draft18),
                .draft18,
                on: .responder(kind, answering: kind),
                role: role
            )
        }
        #expect(try rejected([1, 0x61, 0, 0], .subscribe, .server) == .protocolViolation)
        #expect(try rejected([1, 0x61, 0, 0], .subscribe, .client) == nil)
        #expect(try rejected([0, 0, 1, 0x61], .subscribe, .client) == nil)
        #expect(try rejected([0, 0, 1, 0x61], .subscribeNamespace, .client) == .protocolViolation)
        #expect(try rejected([0, 0, 1, 0x61], .publishNamespace, .client) == .protocolViolation)
    }
}
