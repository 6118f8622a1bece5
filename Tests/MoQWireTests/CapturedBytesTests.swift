// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

/// Bytes that other implementations were seen to send on draft 18, and what they mean.
@Suite("Captured bytes of draft 18")
struct CapturedBytesTests {
    private static let demo = FullTrackName(namespace: TrackNamespace(path: "demo/ts"), name: "t")

    private func check(
        _ text: String,
        _ message: MoQMessage,
        from sender: Role,
        on context: StreamContext
    ) throws {
        let bytes = hex(text)
        #expect(try MessageCodec(profile: .draft18, role: sender.peer).message(bytes, on: context) == message)
        #expect(try MessageCodec(profile: .draft18, role: sender).encode(message) == bytes)
    }

    @Test("the setups of a client and a server")
    func setup() throws {
        try self.check(
            "af0000230100040f3132372e302e302e313a3134343433020e61696f6d6f71742f302e31332e33",
            .setup(
                Setup(
                    options: SetupOptions(path: "", authority: "127.0.0.1:14443", implementation: "aiomoqt/0.13.3")
                )
            ),
            from: .client,
            on: .controlStart
        )
        try self.check(
            "af000010070e61696f6d6f71742f302e31332e33",
            .setup(Setup(options: SetupOptions(implementation: "aiomoqt/0.13.3"))),
            from: .server,
            on: .controlStart
        )
    }

    @Test("a namespace is published and accepted")
    func publishNamespace() throws {
        try self.check(
            "06000b00020464656d6f02747300",
            .publishNamespace(PublishNamespace(requestID: RequestID(0), namespace: Self.demo.namespace)),
            from: .client,
            on: .requestStart
        )
        try self.check(
            "07000100",
            .requestOk(RequestOk(answers: .publishNamespace)),
            from: .server,
            on: .responder(.publishNamespace, answering: .publishNamespace)
        )
    }

    @Test("a track is published, accepted and set to forward")
    func publish() throws {
        try self.check(
            "1d001002020464656d6f027473017400011000",
            .publish(
                Publish(requestID: RequestID(2), track: Self.demo, trackAlias: TrackAlias(0), forward: false)
            ),
            from: .client,
            on: .requestStart
        )
        try self.check(
            "07000a04100010800101020101",
            .publishOk(
                PublishOk(
                    parameters: SubscriptionParameters(
                        subscriberPriority: 128,
                        groupOrder: .ascending,
                        forward: false,
                        filter: .nextObject
                    )
                )
            ),
            from: .server,
            on: .responder(.publish, answering: .publish)
        )
        try self.check(
            "02000401011001",
            .requestUpdate(
                RequestUpdate(requestID: RequestID(1), parameters: SubscriptionParameters(forward: true))
            ),
            from: .server,
            on: .responder(.publish, answering: nil)
        )
    }

    @Test("a track is subscribed to")
    func subscribe() throws {
        try self.check(
            "03001200020464656d6f0274730174021001110102",
            .subscribe(
                Subscribe(
                    requestID: RequestID(0),
                    track: Self.demo,
                    parameters: SubscriptionParameters(forward: true, filter: .nextObject)
                )
            ),
            from: .client,
            on: .requestStart
        )
        try self.check(
            "04000400010800",
            .subscribeOk(SubscribeOk(trackAlias: TrackAlias(0), expires: 0)),
            from: .server,
            on: .responder(.subscribe, answering: .subscribe)
        )
    }
}

/// Bytes that another implementation writes on draft 16, and what they mean.
@Suite("Bytes of another implementation of draft 16")
struct OldDraftBytesTests {
    private static let demo = FullTrackName(namespace: TrackNamespace(path: "demo/ts"), name: "t")
    private static let parameters = SubscriptionParameters(
        subscriberPriority: 200,
        forward: false,
        filter: .absoluteRange(start: Location(group: 70, object: 3), endGroup: 20_000),
        objectDeliveryTimeout: 2_500
    )

    private func check(_ text: String, _ message: MoQMessage, on context: StreamContext = .control) throws {
        let bytes = hex(text)
        #expect(try MessageCodec(profile: .draft16, role: .server).message(bytes, on: context) == message)
        #expect(try MessageCodec(profile: .draft16, role: .client).encode(message) == bytes)
    }

    @Test("the setup of a client")
    func setup() throws {
        let options = SetupOptions(
            path: "/a%20b?c=d",
            authority: "[::1]:4433",
            maxRequestID: RequestID(100),
            maxAuthTokenCacheSize: 4_096,
            tokens: [.register(alias: 0, type: 0, value: [0])],
            implementation: "moqingbird",
            unknown: [KeyValuePair(type: 157, bytes: [2]), KeyValuePair(type: 284, integer: 70_000)].compactMap { $0 }
        )
        try self.check(
            "20003b08010a2f61253230623f633d64014064010401000000015000010a5b3a3a315d3a34343333020a6d6f71696e67626972"
                + "6440960102407f80011170",
            .setup(Setup(options: options)),
            on: .controlStart
        )
    }

    @Test("a subscription and its update")
    func subscription() throws {
        var parameters = Self.parameters
        parameters.groupOrder = .descending
        parameters.newGroupRequest = 0
        try self.check(
            "03002702020464656d6f0274730174070249c4010200010d001040c801080440460380004e2001021000",
            .subscribe(
                Subscribe(
                    requestID: RequestID(2),
                    track: Self.demo,
                    parameters: parameters,
                    tokens: [.delete(alias: 1)]
                )
            )
        )
        parameters.groupOrder = nil
        try self.check(
            "02001b0402060249c4010200010d001040c801080440460380004e201100",
            .requestUpdate(
                RequestUpdate(
                    requestID: RequestID(4),
                    existingRequestID: RequestID(2),
                    parameters: parameters,
                    tokens: [.delete(alias: 1)]
                )
            )
        )
    }

    @Test("a fetch and a subscription to namespaces")
    func others() throws {
        try self.check(
            "16001a0601020464656d6f02747301740506070103030200011d000202",
            .fetch(
                Fetch(
                    requestID: RequestID(6),
                    target: .standalone(
                        track: Self.demo,
                        start: Location(group: 5, object: 6),
                        end: .object(Location(group: 7, object: 0))
                    ),
                    subscriberPriority: 0,
                    groupOrder: .descending,
                    tokens: [.delete(alias: 1)]
                )
            )
        )
        try self.check(
            "11000a08000202030200010d00",
            .subscribeNamespace(
                SubscribeNamespace(
                    requestID: RequestID(8),
                    prefix: TrackNamespace(),
                    interest: .both,
                    forward: false,
                    tokens: [.delete(alias: 1)]
                )
            ),
            on: .requestStart
        )
    }
}
