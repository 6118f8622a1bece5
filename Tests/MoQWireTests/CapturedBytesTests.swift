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
