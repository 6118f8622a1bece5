// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

/// What draft 14 writes otherwise than the later drafts. What it has in common with them is tested for all drafts.
@Suite("Draft 14 on the wire")
struct Draft14Tests {
    private let client = MessageCodec(profile: .draft14, role: .client)
    private let server = MessageCodec(profile: .draft14, role: .server)

    // A namespace of one field "ns" and a track "t".
    private let name = "01 02 6e73 01 74"

    private func expect(
        _ text: String,
        _ message: MoQMessage,
        from sender: Role = .client,
        on context: StreamContext = .control,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let (writer, reader) = sender == .client ? (self.client, self.server) : (self.server, self.client)
        let bytes = hex(text)
        #expect(try writer.encode(message) == bytes, sourceLocation: sourceLocation)
        #expect(try reader.message(bytes, on: context) == message, sourceLocation: sourceLocation)
    }

    @Test("setup messages carry the versions, counted by the client and chosen by the server")
    func setup() throws {
        let offer = SetupOptions(path: "/p", maxRequestID: RequestID(16), versions: [0xFF00_000E])
        // One version in eight bytes; types are absolute, so MAX_REQUEST_ID is 2 and not 1 after PATH.
        try self.expect(
            "20 0010 01 c0000000ff00000e 02 01 02 2f70 02 10",
            .setup(Setup(options: offer)),
            on: .controlStart
        )
        try self.expect(
            "21 0009 c0000000ff00000e 00",
            .setup(Setup(options: SetupOptions(versions: [DraftVersion.draft14.setupNumber]))),
            from: .server,
            on: .controlStart
        )
        #expect(rejection(hex("20 0003 05 01 00"), .draft14, on: .controlStart) == .protocolViolation)
        #expect(throws: MoQWireError.self) { try self.server.encode(.setup(Setup())) }
        // In the order of the types, although each is written as it is; what nobody knows survives.
        let unknown = try #require(KeyValuePair(type: 0x03FF, bytes: [7]))
        try self.expect(
            "21 0011 c0000000ff00000e 03 02 10 04 09 43ff 01 07",
            .setup(
                Setup(
                    options: SetupOptions(
                        maxRequestID: RequestID(16),
                        maxAuthTokenCacheSize: 9,
                        versions: [0xFF00_000E],
                        unknown: [unknown]
                    )
                )
            ),
            from: .server,
            on: .controlStart
        )
    }

    @Test("SUBSCRIBE has priority, order, forward state and filter in fields")
    func subscribe() throws {
        let track = FullTrackName(namespace: TrackNamespace(path: "ns"), name: "t")
        var parameters = SubscriptionParameters(subscriberPriority: 5, groupOrder: .descending, forward: false)
        parameters.filter = .absoluteRange(start: Location(group: 1, object: 2), endGroup: 3)
        parameters.objectDeliveryTimeout = 9
        try self.expect(
            "03 0011 04 \(self.name) 05 02 00 04 01 02 03 01 02 09",
            .subscribe(Subscribe(requestID: RequestID(4), track: track, parameters: parameters))
        )
        // What the model leaves open is written as the draft's default: everything, in the publisher's order.
        let open = try self.client.encode(.subscribe(Subscribe(requestID: RequestID(4), track: track)))
        #expect(open == hex("03 000e 04 \(self.name) 80 00 01 03 00 00 00"))
        for (offset, value) in [(11, UInt8(3)), (12, 2), (13, 5)] {
            var wrong = open
            wrong[offset] = value
            #expect(rejection(wrong, .draft14, on: .control) == .protocolViolation, "byte \(offset)")
        }
    }

    @Test("SUBSCRIBE_OK says group order, largest location and cache duration, which become properties")
    func subscribeOk() throws {
        let message = SubscribeOk(
            requestID: RequestID(4),
            trackAlias: TrackAlias(7),
            expires: 8,
            largestObject: Location(group: 1, object: 2),
            groupOrder: .descending,
            properties: try PropertyList(
                [
                    KeyValuePair(type: PropertyType.maxCacheDuration, integer: 60),
                    KeyValuePair(type: PropertyType.defaultPublisherGroupOrder, integer: 2),
                ].compactMap { $0 },
                coding: .draft14
            )
        )
        try self.expect("04 000a 04 07 08 02 01 01 02 01 04 3c", .subscribeOk(message), from: .server)
        // Who asked for another order than the publisher's gets that one.
        var other = message
        other.groupOrder = .ascending
        #expect(try self.server.encode(.subscribeOk(other)) == hex("04 000a 04 07 08 01 01 01 02 01 04 3c"))
        // An order has to be one of the two here.
        #expect(
            rejection(hex("04 0006 04 07 00 00 00 00"), .draft14, on: .control, role: .client) == .protocolViolation
        )
        #expect(
            rejection(hex("04 0006 04 07 00 01 02 00"), .draft14, on: .control, role: .client) == .protocolViolation
        )
    }

    @Test("properties that draft 14 has no place for are left out, so that a track can be passed on")
    func otherProperties() throws {
        let message = SubscribeOk(
            requestID: RequestID(4),
            trackAlias: TrackAlias(7),
            properties: try PropertyList([KeyValuePair(type: 0x3FFF, bytes: [1])].compactMap { $0 }, coding: .draft18)
        )
        #expect(try self.server.encode(.subscribeOk(message)) == hex("04 0006 04 07 00 01 00 00"))
    }

    @Test("TRACK_STATUS is a SUBSCRIBE, and its answer a SUBSCRIBE_OK whose alias says nothing")
    func trackStatus() throws {
        let track = FullTrackName(namespace: TrackNamespace(path: "ns"), name: "t")
        var parameters = SubscriptionParameters(subscriberPriority: 5, forward: true, filter: .nextGroup)
        parameters.objectDeliveryTimeout = 9
        try self.expect(
            "0d 000e 04 \(self.name) 05 00 01 01 01 02 09",
            .trackStatus(TrackStatus(requestID: RequestID(4), track: track, parameters: parameters))
        )
        let answer = RequestOk(
            requestID: RequestID(4),
            answers: .trackStatus,
            expires: 8,
            largestObject: Location(group: 1, object: 2)
        )
        try self.expect("0e 0008 04 00 08 01 01 01 02 00", .requestOk(answer), from: .server)
        #expect(try self.client.message(hex("0e 0008 04 09 08 01 01 01 02 00"), on: .control) == .requestOk(answer))
    }

    @Test("SUBSCRIBE_UPDATE writes one more than its last group, and has to say everything")
    func update() throws {
        var parameters = SubscriptionParameters(subscriberPriority: 9, forward: true)
        parameters.filter = .absoluteRange(start: Location(group: 1, object: 2), endGroup: 3)
        var update = RequestUpdate(
            requestID: RequestID(6),
            existingRequestID: RequestID(4),
            parameters: parameters
        )
        try self.expect("02 0008 06 04 01 02 04 09 01 00", .requestUpdate(update))
        update.parameters.filter = .absoluteStart(Location(group: 1, object: 2))
        try self.expect("02 0008 06 04 01 02 00 09 01 00", .requestUpdate(update))
        for change: (inout RequestUpdate) -> Void in [
            { $0.parameters.filter = nil }, { $0.parameters.filter = .nextGroup }, { $0.parameters.forward = nil },
            { $0.parameters.subscriberPriority = nil }, { $0.existingRequestID = nil },
        ] {
            var incomplete = update
            change(&incomplete)
            let error = try #require(throws: MoQWireError.self) { try self.client.encode(.requestUpdate(incomplete)) }
            #expect(error.kind == .notExpressible)
        }
    }

    @Test("PUBLISH and PUBLISH_OK have their fields in the draft's order")
    func publish() throws {
        let track = FullTrackName(namespace: TrackNamespace(path: "ns"), name: "t")
        try self.expect(
            "1d 000e 03 \(self.name) 01 01 01 00 00 00 00",
            .publish(
                Publish(
                    requestID: RequestID(3),
                    track: track,
                    trackAlias: TrackAlias(1),
                    largestObject: Location(group: 0, object: 0),
                    forward: false
                )
            ),
            from: .server
        )
        let parameters = SubscriptionParameters(
            subscriberPriority: 2,
            groupOrder: .ascending,
            forward: true,
            filter: .nextObject
        )
        try self.expect(
            "1e 0006 03 01 02 01 02 00",
            .publishOk(PublishOk(requestID: RequestID(3), parameters: parameters))
        )
        // An answer that says no order would overwrite that of the publisher with another.
        let vague = MoQMessage.publishOk(PublishOk(requestID: RequestID(3)))
        #expect(throws: MoQWireError.self) { try self.client.encode(vague) }
        for wrong in ["1e 0006 03 02 02 01 02 00", "1e 0006 03 01 02 00 02 00", "1e 0006 03 01 02 01 05 00"] {
            #expect(rejection(hex(wrong), .draft14, on: .control) == .protocolViolation)
        }
    }

    @Test("FETCH and FETCH_OK have priority and order in fields")
    func fetch() throws {
        try self.expect(
            "16 0007 06 01 00 02 04 03 00",
            .fetch(
                Fetch(
                    requestID: RequestID(6),
                    target: .relativeJoining(subscription: RequestID(4), groupsBack: 3),
                    subscriberPriority: 1
                )
            )
        )
        try self.expect(
            "18 0006 06 01 01 05 00 00",
            .fetchOk(FetchOk(requestID: RequestID(6), endOfTrack: true, end: .group(5), groupOrder: .ascending)),
            from: .server
        )
        try self.expect(
            "18 0006 06 02 00 05 03 00",
            .fetchOk(
                FetchOk(
                    requestID: RequestID(6),
                    endOfTrack: false,
                    end: .object(Location(group: 5, object: 2)),
                    groupOrder: .descending
                )
            ),
            from: .server
        )
        for wrong in ["18 0006 06 00 01 05 00 00", "18 0006 06 03 01 05 00 00", "18 0006 06 01 02 05 00 00"] {
            #expect(rejection(hex(wrong), .draft14, on: .control, role: .client) == .protocolViolation)
        }
        // The order of a request may be left to the publisher, but has to be one.
        #expect(rejection(hex("16 0007 06 01 03 02 04 03 00"), .draft14, on: .control) == .protocolViolation)
    }

    @Test("each kind of request counts its errors by itself")
    func errors() throws {
        let samples: [(String, RequestKind, RequestErrorCode)] = [
            ("05", .subscribe, .doesNotExist), ("1f", .publish, .uninterested), ("19", .fetch, .doesNotExist),
            ("0f", .trackStatus, .doesNotExist), ("08", .publishNamespace, .uninterested),
            ("13", .subscribeNamespace, .doesNotExist),
        ]
        for (type, kind, code) in samples {
            let error = RequestError(requestID: RequestID(2), answers: kind, code: code)
            try self.expect("\(type) 0003 02 04 00", .requestError(error), from: .server)
        }
        // A code without a number becomes the internal error; one that is not known keeps its number.
        let internalError = RequestError(requestID: RequestID(2), answers: .publish, code: .prefixOverlap)
        #expect(try self.server.encode(.requestError(internalError)) == hex("1f 0003 02 00 00"))
        let unknown = RequestError(requestID: RequestID(2), answers: .publish, code: .unknown(0x20))
        try self.expect("1f 0003 02 20 00", .requestError(unknown), from: .server)
        for message in [
            MoQMessage.requestError(RequestError(requestID: RequestID(2), code: .timeout)),
            .requestError(RequestError(requestID: RequestID(2), answers: .subscribe, code: .timeout, retryAfter: 1)),
            .requestOk(RequestOk(requestID: RequestID(2), answers: .requestUpdate)),
            .requestOk(RequestOk(requestID: RequestID(2), answers: .publishNamespace, expires: 1)),
        ] {
            let error = try #require(throws: MoQWireError.self) { try self.server.encode(message) }
            #expect(error.kind == .notExpressible)
        }
    }

    @Test("namespaces are named where the later drafts name requests")
    func namespaces() throws {
        let namespace = TrackNamespace(path: "ns")
        try self.expect("09 0004 01 02 6e73", .publishNamespaceDone(PublishNamespaceDone(namespace: namespace)))
        try self.expect(
            "0c 0006 01 02 6e73 04 00",
            .publishNamespaceCancel(PublishNamespaceCancel(namespace: namespace, code: .uninterested)),
            from: .server
        )
        try self.expect("14 0004 01 02 6e73", .unsubscribeNamespace(UnsubscribeNamespace(prefix: namespace)))
        try self.expect(
            "11 0006 08 01 02 6e73 00",
            .subscribeNamespace(SubscribeNamespace(requestID: RequestID(8), prefix: namespace, interest: .both))
        )
        #expect(rejection(hex("11 0003 08 00 00"), .draft14, on: .control) == .protocolViolation)
        #expect(rejection(hex("14 0001 00"), .draft14, on: .control) == .protocolViolation)
    }

    @Test("parameters that are not known, or belong elsewhere, are passed over")
    func parameters() throws {
        let message = try self.server.message(hex("06 000d 08 01 02 6e73 03 04 05 21 01 09 0a 01"), on: .control)
        let expected = PublishNamespace(requestID: RequestID(8), namespace: TrackNamespace(path: "ns"))
        #expect(message == .publishNamespace(expected))
    }

    @Test("C3, S1: every message is refused anywhere but on the control stream")
    func places() {
        let streams = RequestKind.allCases.filter { $0 != .requestUpdate }.flatMap { kind in
            [StreamContext.requester(kind), .responder(kind, answering: kind), .responder(kind, answering: nil)]
        }
        for row in DraftProfile.draft14.messages {
            let isSetup = row.kind == .clientSetup || row.kind == .serverSetup
            for context in [StreamContext.controlStart, .control, .requestStart] + streams {
                let accepted = [Role.client, .server].contains {
                    rejection([UInt8(row.type)], .draft14, on: context, role: $0) == nil
                }
                // The control stream is the first bidirectional one, which the client opens with its setup.
                let isAllowed: Bool
                switch context {
                case .controlStart: isAllowed = isSetup
                case .control: isAllowed = !isSetup
                default: isAllowed = context == .requestStart && row.kind == .clientSetup
                }
                #expect(accepted == isAllowed, "\(row.kind) on \(context)")
            }
        }
    }

    @Test("subgroup types have no bits for a default priority or a first object")
    func subgroupTypes() throws {
        for type in UInt8(0)..<64 {
            let bytes: [UInt8] = [type, 1, 1, 1, 1]
            var parser = SubgroupStreamParser(profile: .draft14)
            let event = try? parser.next(in: unsafe bytes.span.bytes).event
            let isValid = (0x10...0x15).contains(type) || (0x18...0x1D).contains(type)
            #expect((event != nil) == isValid, "type \(type)")
        }
    }

    @Test("an object may not exist, and then has no properties; other statuses may have some")
    func statuses() {
        // A subgroup with properties in every object, then delta, properties, no payload, status.
        for (status, properties, isAllowed) in [
            (UInt8(0), true, true), (1, false, true), (1, true, false), (2, false, false), (3, true, true),
            (4, true, true), (5, false, false),
        ] {
            let object: [UInt8] = [0] + (properties ? [2, 2, 2] : [0]) + [0, status]
            let expected: SessionErrorCode? = isAllowed ? nil : .protocolViolation
            #expect(subgroupRejection([0x11, 1, 1, 0] + object, .draft14) == expected, "status \(status)")
            let datagram: [UInt8] = [properties ? 0x21 : 0x20, 1, 1, 0, 0] + (properties ? [2, 2, 2] : []) + [status]
            #expect(datagramRejection(datagram, .draft14) == expected, "status \(status) in a datagram")
        }
    }

    @Test("datagrams have the ten types of the draft, and survive")
    func datagrams() throws {
        let valid = Set<UInt8>([0, 1, 2, 3, 4, 5, 6, 7, 0x20, 0x21])
        for type in UInt8(0)..<64 {
            var bytes: [UInt8] = [type, 1, 1]
            if type & 0x04 == 0 { bytes.append(1) }
            bytes.append(9)
            if type & 0x01 != 0 { bytes += [2, 2, 2] }
            if type & 0x20 != 0 { bytes.append(3) }
            #expect((datagramRejection(bytes, .draft14) == nil) == valid.contains(type), "type \(type)")
        }
        let codec = DatagramCodec(profile: .draft14)
        for status in [ObjectStatus.normal, .doesNotExist, .endOfGroup] {
            for objectID in [UInt64(0), 5] {
                let datagram = ObjectDatagram(
                    trackAlias: TrackAlias(1),
                    groupID: 2,
                    objectID: objectID,
                    publisherPriority: 3,
                    status: status
                )
                var bytes: [UInt8] = []
                try codec.encode(datagram, into: &bytes)
                #expect(
                    try codec.decode(unsafe bytes.span.bytes) == .object(datagram, payloadOffset: bytes.count)
                )
            }
        }
        var bytes: [UInt8] = []
        #expect(throws: MoQWireError.self) {
            try codec.encode(ObjectDatagram(trackAlias: TrackAlias(1), groupID: 0, objectID: 1), into: &bytes)
        }
    }

    @Test("fetch objects have all their fields, wherever the stream is cut")
    func fetchStream() throws {
        let properties = try PropertyList([KeyValuePair(type: 2, integer: 2)].compactMap { $0 }, coding: .draft14)
        let objects = [
            FetchObjectHeader(
                location: Location(group: 1, object: 2),
                subgroupID: 3,
                publisherPriority: 4,
                properties: properties,
                payloadLength: 2
            ),
            FetchObjectHeader(
                location: Location(group: 1, object: 7),
                subgroupID: 7,
                publisherPriority: 4,
                payloadLength: 0,
                status: .doesNotExist
            ),
        ]
        var encoder = FetchStreamEncoder(profile: .draft14, groupOrder: .ascending)
        var bytes: [UInt8] = []
        try encoder.encode(requestID: RequestID(6), into: &bytes)
        try encoder.encode(objects[0], into: &bytes)
        bytes += [0xAA, 0xBB]
        // A datagram's object has its own id as its subgroup.
        var datagram = objects[1]
        datagram.subgroupID = nil
        try encoder.encode(datagram, into: &bytes)
        #expect(bytes == hex("05 06 01 03 02 04 02 0202 02 aabb 01 07 07 04 00 00 01"))
        #expect(throws: MoQWireError.self) { try encoder.encode(objects[0], into: &bytes) }
        #expect(throws: MoQWireError.self) {
            try encoder.encode(endOfRange: .nonExistent, at: Location(group: 9, object: 9), into: &bytes)
        }
        for cut in 0...bytes.count {
            var parser = FetchStreamParser(profile: .draft14)
            var found: [FetchObjectHeader] = []
            var start = 0
            for end in [cut, bytes.count] {
                while true {
                    let part = Array(bytes[start..<end])
                    let (event, consumed) = try parser.next(in: unsafe part.span.bytes)
                    start += consumed
                    if event == .needMore { break }
                    if case .object(let header) = event { found.append(header) }
                }
            }
            try parser.finish(unread: bytes.count - start)
            #expect(found == objects)
        }
    }
}
