// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

/// What a peer may not put into messages. Tests are named after the rules of the conformance list.
@Suite("Rules of names and parameters")
struct MessageRuleTests {
    /// The reaction to a SUBSCRIBE with this namespace and name, and with these parameters, their number before them.
    private func subscribe(
        track: [UInt8],
        parameters: [UInt8] = [0],
        _ profile: DraftProfile
    ) throws -> SessionErrorCode? {
        // Draft 14 has priority, order, forward state and filter in fields.
        let fields: [UInt8] = profile.messageForm == .fields ? [128, 0, 1, 2] : []
        let bytes = try frame(0x03, [0] + track + fields + parameters, profile)
        return rejection(bytes, profile, on: Places(profile).request)
    }

    /// The reaction to a SUBSCRIBE with these parameters.
    private func parameters(_ count: UInt8, _ content: [UInt8], _ profile: DraftProfile) throws -> SessionErrorCode? {
        try self.subscribe(track: [1, 1, 0x61, 0], parameters: [count] + content, profile)
    }

    /// The reaction to a SUBSCRIBE_OK with these properties.
    private func properties(_ content: [UInt8], _ profile: DraftProfile) throws -> SessionErrorCode? {
        let start: [UInt8] = profile.repliesCarryRequestID ? [0, 1, 0] : [1, 0]
        let bytes = try frame(0x04, start + content, profile)
        return rejection(bytes, profile, on: Places(profile).answer(to: .subscribe), role: .client)
    }

    @Test("N1: an empty field of a namespace is refused", arguments: DraftProfile.all)
    func emptyField(profile: DraftProfile) throws {
        #expect(try self.subscribe(track: [2, 1, 0x61, 0, 0], profile) == .protocolViolation)
        #expect(try self.subscribe(track: [2, 1, 0x61, 1, 0x61, 0], profile) == nil)
    }

    @Test("N2: more than 32 fields are refused", arguments: DraftProfile.all)
    func tooManyFields(profile: DraftProfile) throws {
        for (count, expected) in [(32, nil), (33, SessionErrorCode.protocolViolation)] {
            let fields = Array(repeatElement([UInt8(1), 0x61], count: count).joined())
            #expect(try self.subscribe(track: [UInt8(count)] + fields + [0], profile) == expected)
            let options: [UInt8] = profile.subscribeNamespaceHasOptions ? [1] : []
            let type: UInt64 = profile.version >= .draft18 ? 0x50 : 0x11
            let prefix = try frame(type, [0, UInt8(count)] + fields + options + [0], profile)
            let place: StreamContext = profile.messageForm == .fields ? .control : .requestStart
            #expect(rejection(prefix, profile, on: place) == expected)
        }
    }

    @Test("N3: a namespace without fields is allowed from draft 18 on, a prefix from draft 16 on")
    func noFields() throws {
        #expect(try self.subscribe(track: [0, 0], .draft14) == .protocolViolation)
        #expect(try self.subscribe(track: [0, 0], .draft16) == .protocolViolation)
        #expect(try self.subscribe(track: [0, 0], .draft18) == nil)
        #expect(rejection(try frame(0x11, [0, 0, 0], .draft14), .draft14, on: .control) == .protocolViolation)
        #expect(rejection(try frame(0x11, [0, 1, 1, 0x61, 0], .draft14), .draft14, on: .control) == nil)
        #expect(rejection(try frame(0x11, [0, 0, 1, 0], .draft16), .draft16, on: .requestStart) == nil)
    }

    @Test("N4: names of more than 4,096 bytes are refused", arguments: DraftProfile.all)
    func longNames(profile: DraftProfile) throws {
        for (fields, name, isAllowed) in [
            ([4_000, 90], 6, true), ([4_000, 90], 7, false), ([4_096], 0, true), ([4_097], 0, false),
            ([4_000, 97], 0, false),
        ] {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(integer: UInt64(fields.count))
            for length in fields {
                try writer.write(prefixed: [UInt8](repeating: 1, count: length))
            }
            try writer.write(prefixed: [UInt8](repeating: 2, count: name))
            #expect(try self.subscribe(track: writer.bytes, profile) == (isAllowed ? nil : .protocolViolation))
        }
    }

    @Test("R1: a reason of more than 1,024 bytes is refused", arguments: DraftProfile.all)
    func longReason(profile: DraftProfile) throws {
        for (length, expected) in [(1_024, nil), (1_025, SessionErrorCode.protocolViolation)] {
            var writer = WireWriter(integers: profile.coding.integers)
            // A code and the time to retry, which draft 14 does not have; before it the id, which draft 18 does not have.
            writer.write(bytes: profile.version == .draft16 ? [0, 0, 0] : [0, 0])
            try writer.write(prefixed: [UInt8](repeating: 0xFF, count: length))
            let bytes = try frame(0x05, writer.bytes, profile)
            #expect(rejection(bytes, profile, on: Places(profile).answer(to: .fetch)) == expected)
        }
    }

    @Test(
        "P1: an unknown parameter is refused from draft 16 on, and passed over before",
        arguments: DraftProfile.all
    )
    func unknownParameter(profile: DraftProfile) throws {
        for type: UInt8 in [0x01, 0x0C, 0x3E] {
            let expected: SessionErrorCode? = profile.version >= .draft16 ? .protocolViolation : nil
            #expect(try self.parameters(1, [type, 0], profile) == expected)
        }
        // Passed over, but not beyond the end of the message.
        #expect(try self.parameters(1, [0x01, 9], profile) == .protocolViolation)
        #expect(try self.parameters(2, [0x0C, 9], profile) == .protocolViolation)
    }

    @Test(
        "P2: a parameter that may be there once is refused twice; tokens may repeat",
        arguments: DraftProfile.all
    )
    func repeatedParameter(profile: DraftProfile) throws {
        let isDelta = profile.coding.keys == .delta
        #expect(try self.parameters(2, [0x02, 1, isDelta ? 0 : 2, 1], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x02, 1], profile) == nil)
        #expect(try self.parameters(2, [0x03, 2, 3, 0, isDelta ? 0 : 3, 2, 3, 1], profile) == nil)
        // What nobody knows may be repeated in draft 14.
        #expect((try self.parameters(2, [0x0C, 1, 0x0C, 1], profile) == nil) == (profile.version == .draft14))
    }

    @Test("P3: values out of range are refused", arguments: DraftProfile.withParameters)
    func outOfRange(profile: DraftProfile) throws {
        #expect(try self.parameters(1, [0x10, 2], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x22, 0], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x22, 3], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x22, 2], profile) == nil)
        if profile.version < .draft18 {
            #expect(try self.parameters(1, [0x20, 0x41, 0x00], profile) == .protocolViolation)
            #expect(try self.parameters(1, [0x20, 0x40, 0xFF], profile) == nil)
        } else {
            #expect(try self.parameters(1, [0x20, 0xFF], profile) == nil)
        }
    }

    @Test("P4: a delivery timeout of 0 is refused in draft 16 only, as parameter and as property")
    func zeroTimeout() throws {
        #expect(try self.parameters(1, [0x02, 0], .draft14) == nil)
        #expect(try self.parameters(1, [0x02, 0], .draft16) == .protocolViolation)
        #expect(try self.parameters(1, [0x02, 0], .draft18) == nil)
        #expect(try self.properties([0x02, 0], .draft16) == .protocolViolation)
        #expect(try self.properties([0x02, 0], .draft18) == nil)
    }

    @Test("P5: a parameter of another message is skipped in draft 16 and refused in draft 18")
    func misplacedParameter() throws {
        // EXPIRES and LARGEST_OBJECT are for answers, not for SUBSCRIBE.
        #expect(try self.parameters(1, [0x08, 5], .draft18) == .protocolViolation)
        #expect(try self.parameters(1, [0x09, 1, 1], .draft18) == .protocolViolation)
        let bytes = try frame(0x03, [0, 1, 1, 0x61, 0, 3, 0x08, 5, 0x01, 1, 7, 0x07, 0], .draft16)
        let message = try MessageCodec(profile: .draft16, role: .server).message(bytes, on: .control)
        let expected = Subscribe(
            requestID: RequestID(0),
            track: FullTrackName(namespace: TrackNamespace(["a"]), name: ""),
            parameters: SubscriptionParameters(forward: false)
        )
        #expect(message == .subscribe(expected))
    }

    @Test("P5, U1: an update takes only parameters of the request it changes")
    func misplacedInUpdate() throws {
        func rejected(_ content: [UInt8], _ kind: RequestKind) throws -> SessionErrorCode? {
            rejection(try frame(0x02, [0, 1] + content, .draft18), .draft18, on: .requester(kind))
        }
        #expect(try rejected([0x10, 1], .subscribe) == nil)
        #expect(try rejected([0x10, 1], .fetch) == .protocolViolation)
        #expect(try rejected([0x20, 1], .fetch) == nil)
        #expect(try rejected([0x34, 1, 0], .subscribeNamespace) == nil)
        #expect(try rejected([0x34, 1, 0], .subscribe) == .protocolViolation)
        #expect(try rejected([0x34, 2, 0, 0], .subscribeTracks) == .protocolViolation)
        #expect(try rejected([0x22, 1], .subscribe) == .protocolViolation)
    }

    @Test("P6: the type of a parameter cannot exceed 64 bits")
    func parameterTypeOverflow() throws {
        let large = [UInt8](repeating: 0xFF, count: 9)
        #expect(try self.parameters(2, [0x10, 1] + large + [0], .draft18) == .protocolViolation)
    }

    @Test("F1: an unknown type of filter is refused", arguments: DraftProfile.withParameters)
    func filterType(profile: DraftProfile) throws {
        for type: UInt8 in [0, 5, 6, 63] {
            #expect(try self.parameters(1, [0x21, 1, type], profile) == .protocolViolation)
        }
        #expect(try self.parameters(1, [0x21, 1, 2], profile) == nil)
    }

    @Test("F2: a filter that does not fill its length is refused", arguments: DraftProfile.withParameters)
    func filterLength(profile: DraftProfile) throws {
        #expect(try self.parameters(1, [0x21, 2, 2, 0], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x21, 2, 3, 0], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x21, 0], profile) == .protocolViolation)
        #expect(try self.parameters(1, [0x21, 3, 3, 0, 0], profile) == nil)
    }

    @Test("F3: the end of a filter cannot exceed 64 bits")
    func filterOverflow() throws {
        let start = [UInt8](repeating: 0xFF, count: 9)
        #expect(try self.parameters(1, [0x21, 12, 4] + start + [0, 1], .draft18) == .protocolViolation)
        #expect(try self.parameters(1, [0x21, 12, 4] + start + [0, 0], .draft18) == nil)
    }

    @Test("the end of a filter is a group in draft 16 and a distance in draft 18")
    func filterEnd() throws {
        for (profile, end) in [(DraftProfile.draft16, UInt64(9)), (.draft18, 12)] {
            let bytes = try frame(0x03, [0, 1, 1, 0x61, 0, 1, 0x21, 4, 4, 3, 0, 9], profile)
            let message = try MessageCodec(profile: profile, role: .server)
                .message(bytes, on: Places(profile).request)
            guard case .subscribe(let subscribe) = message else {
                Issue.record("no SUBSCRIBE")
                continue
            }
            let expected = SubscriptionFilter.absoluteRange(start: Location(group: 3, object: 0), endGroup: end)
            #expect(subscribe.parameters.filter == expected)
        }
    }

    @Test("K4: LARGEST_OBJECT of draft 16 must fill its length")
    func largestObject() throws {
        func rejected(_ value: [UInt8]) throws -> SessionErrorCode? {
            let content = [0, 1, 1, 0x09, UInt8(value.count)] + value
            return rejection(try frame(0x04, content, .draft16), .draft16, on: .control, role: .client)
        }
        #expect(try rejected([1, 2]) == nil)
        for value: [UInt8] in [[], [1], [1, 2, 3], [1, 0x40]] {
            #expect(try rejected(value) == .keyValueFormattingError)
        }
    }

    @Test("E1: an unknown type of fetch is refused", arguments: DraftProfile.all)
    func fetchType(profile: DraftProfile) throws {
        for type: UInt8 in [0, 4, 63] {
            let fields: [UInt8] = profile.messageForm == .fields ? [128, 0] : []
            let bytes = try frame(0x16, [0] + fields + [type, 0, 0, 0], profile)
            #expect(rejection(bytes, profile, on: Places(profile).request) == .protocolViolation)
            let joining = try frame(0x16, [0] + fields + [2, 0, 0, 0], profile)
            #expect(rejection(joining, profile, on: Places(profile).request) == nil)
        }
    }

    @Test(
        "X1, X2: a group order and a dynamic-groups flag out of range are refused",
        arguments: DraftProfile.withParameters
    )
    func propertyRange(profile: DraftProfile) throws {
        #expect(try self.properties([0x22, 0], profile) == .protocolViolation)
        #expect(try self.properties([0x22, 3], profile) == .protocolViolation)
        #expect(try self.properties([0x30, 2], profile) == .protocolViolation)
        #expect(try self.properties([0x22, 2, 0x0E, 1], profile) == nil)
        // Inside of IMMUTABLE as well; but what cannot be read there is not an error of the session.
        #expect(try self.properties([0x0B, 2, 0x22, 3], profile) == .protocolViolation)
        #expect(try self.properties([0x0B, 2, 0x01, 9], profile) == nil)
    }

    @Test("X3: only the answer to TRACK_STATUS carries properties")
    func strayProperties() throws {
        func rejected(_ kind: RequestKind, _ answering: RequestKind) throws -> SessionErrorCode? {
            rejection(try frame(0x07, [0, 0x30, 1], .draft18), .draft18, on: .responder(kind, answering: answering))
        }
        #expect(try rejected(.trackStatus, .trackStatus) == nil)
        for kind in [RequestKind.publish, .publishNamespace, .subscribeNamespace, .subscribeTracks] {
            #expect(try rejected(kind, kind) == .protocolViolation)
        }
        #expect(try rejected(.subscribe, .requestUpdate) == .protocolViolation)
        #expect(rejection(try frame(0x07, [0, 0, 0x30, 1], .draft16), .draft16, on: .control) == .protocolViolation)
    }

    @Test("an empty track name is a name", arguments: DraftProfile.all)
    func emptyTrackName(profile: DraftProfile) throws {
        let fields: [UInt8] = profile.messageForm == .fields ? [128, 0, 1, 2] : []
        let bytes = try frame(0x03, [0, 1, 1, 0x61, 0] + fields + [0], profile)
        let message = try MessageCodec(profile: profile, role: .server).message(bytes, on: Places(profile).request)
        guard case .subscribe(let subscribe) = message else {
            Issue.record("no SUBSCRIBE")
            return
        }
        #expect(subscribe.track == FullTrackName(namespace: TrackNamespace(["a"]), name: [UInt8]()))
    }

    @Test("an update without parameters changes nothing", arguments: DraftProfile.all)
    func emptyUpdate(profile: DraftProfile) throws {
        // The id, from draft 16 on the number of parameters; before that priority, forward state and range are fields.
        let content: [UInt8] =
            switch profile.version {
            case .draft14: [2, 0, 0, 0, 0, 9, 1, 0]
            case .draft16: [2, 0, 0]
            default: [2, 0]
            }
        let context: StreamContext = profile.version >= .draft18 ? .requester(.subscribe) : .control
        let message = try MessageCodec(profile: profile, role: .server)
            .message(try frame(0x02, content, profile), on: context)
        guard case .requestUpdate(let update) = message else {
            Issue.record("no update")
            return
        }
        #expect(update.requestID == RequestID(2) && update.tokens.isEmpty)
        #expect(update.parameters.objectDeliveryTimeout == nil)
        if profile.version >= .draft16 {
            #expect(update.parameters == SubscriptionParameters())
        }
    }

    @Test("grease in options, properties, error codes and token types does not hurt", arguments: [0, 1, 2, 700])
    func grease(index: UInt64) throws {
        let number = 0x7F * index + 0x9D
        var option = WireWriter(integers: .vi64)
        try option.write(integer: number)
        // A value of the form that the type asks for: odd types have a length.
        option.write(bytes: number & 1 == 1 ? [1, 7] : [7])
        let setup = try frame(0x2F00, option.bytes, .draft18)
        let received = try MessageCodec(profile: .draft18, role: .server).message(setup, on: .controlStart)
        guard case .setup(let message) = received else {
            Issue.record("no SETUP")
            return
        }
        #expect(message.options.unknown.map(\.type) == [number])
        #expect(try self.properties(option.bytes, .draft18) == nil)

        let code = RequestErrorCode.unknown(number)
        let error = MoQMessage.requestError(RequestError(answers: .subscribe, code: code))
        let bytes = try MessageCodec(profile: .draft18, role: .server).encode(error)
        #expect(
            try MessageCodec(profile: .draft18, role: .client)
                .message(bytes, on: .responder(.subscribe, answering: .subscribe)) == error
        )
        let status = TrackStatus(
            requestID: RequestID(0),
            track: MessageSamples.track,
            tokens: [.useValue(type: number, value: [1])]
        )
        let request = try MessageCodec(profile: .draft18, role: .client).encode(.trackStatus(status))
        #expect(
            try MessageCodec(profile: .draft18, role: .server).message(request, on: .requestStart)
                == .trackStatus(status)
        )
    }

    @Test("a refusal says what was read, and how far", arguments: DraftProfile.all)
    func reasons(profile: DraftProfile) throws {
        let codec = MessageCodec(profile: profile, role: .server)
        // Type, length, id, then the number of fields, which cannot be 33: the byte behind it is the sixth.
        let bytes = try frame(0x03, [0, 33, 1], profile)
        let error = try #require(throws: MoQWireError.self) { try codec.decode(bytes, on: Places(profile).request) }
        #expect(error.reason == "a namespace has more than 32 fields (SUBSCRIBE, byte 5)")
        let datagram: [UInt8] = [0x00, 1]
        let other = try #require(throws: MoQWireError.self) {
            try DatagramCodec(profile: profile).decode(unsafe datagram.span.bytes)
        }
        #expect(other.reason == "a field goes beyond the end of its message (datagram, byte 2)")
    }

    @Test("unknown error codes and properties do not hurt", arguments: DraftProfile.withParameters)
    func tolerance(profile: DraftProfile) throws {
        #expect(try self.properties([0x3F, 1, 9, 0x02, 1, 5], profile) == nil)
        let start: [UInt8] = profile.repliesCarryRequestID ? [0] : []
        let bytes = try frame(0x05, start + [0x3E, 1, 0], profile)
        let message = try MessageCodec(profile: profile, role: .client)
            .message(bytes, on: Places(profile).answer(to: .subscribe))
        guard case .requestError(let error) = message else {
            Issue.record("no REQUEST_ERROR")
            return
        }
        #expect(error.code == .unknown(0x3E) && error.retryAfter == 0)
    }
}
