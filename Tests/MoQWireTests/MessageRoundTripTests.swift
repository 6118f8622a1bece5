// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

@Suite("Control messages there and back")
struct MessageRoundTripTests {
    @Test("every message of a draft survives with all its fields", arguments: DraftProfile.all)
    func roundTrip(profile: DraftProfile) throws {
        for sample in try MessageSamples.all(profile) {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            let receiver = MessageCodec(profile: profile, role: sample.sender.peer)
            #expect(try receiver.message(bytes, on: sample.context) == sample.message)
        }
    }

    @Test("the samples contain every message of the draft's table", arguments: DraftProfile.all)
    func samplesAreComplete(profile: DraftProfile) throws {
        var types: Set<UInt64> = []
        for sample in try MessageSamples.all(profile) {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            var reader = unsafe WireReader(bytes.span.bytes, integers: profile.coding.integers)
            types.insert(try reader.readInteger())
        }
        // 0x1E is read but never written from draft 18 on.
        let expected = Set(profile.messages.map(\.type)).subtracting(profile.version >= .draft18 ? [0x1E] : [])
        #expect(types == expected)
    }

    @Test("every prefix of a message asks for more, and for no more than is missing", arguments: DraftProfile.all)
    func prefixes(profile: DraftProfile) throws {
        for sample in try MessageSamples.all(profile) {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            let receiver = MessageCodec(profile: profile, role: sample.sender.peer)
            for count in 0..<bytes.count {
                let decoded = try receiver.decode(Array(bytes[..<count]), on: sample.context)
                guard case .needMore(let minimum) = decoded else {
                    Issue.record("a prefix of \(count) bytes of \(sample.message) was taken for a message")
                    continue
                }
                #expect(minimum > count && minimum <= bytes.count)
            }
        }
    }

    @Test("a message is taken from the front of what follows it", arguments: DraftProfile.all)
    func consumed(profile: DraftProfile) throws {
        let codec = MessageCodec(profile: profile, role: .server)
        let message = MoQMessage.goaway(Goaway(requestID: profile.version >= .draft18 ? RequestID(1) : nil))
        let sent = try MessageCodec(profile: profile, role: .client).encode(message)
        let decoded = try codec.decode(sent + sent + [1, 2, 3], on: .control)
        guard case .message(_, let consumed) = decoded else {
            Issue.record("no message")
            return
        }
        #expect(consumed == sent.count)
    }

    @Test("encoding appends, and a failure leaves the bytes as they were", arguments: DraftProfile.all)
    func appending(profile: DraftProfile) throws {
        let codec = MessageCodec(profile: profile, role: .client)
        var bytes: [UInt8] = [1, 2, 3]
        let good = MoQMessage.trackStatus(TrackStatus(requestID: RequestID(0), track: MessageSamples.track))
        try codec.encode(good, into: &bytes)
        #expect(bytes == [1, 2, 3] + (try codec.encode(good)))
        let before = bytes
        let tooLong = FullTrackName(namespace: MessageSamples.track.namespace, name: Array(repeating: 0, count: 4_096))
        let bad = MoQMessage.trackStatus(TrackStatus(requestID: RequestID(0), track: tooLong))
        #expect(throws: MoQWireError.self) {
            try codec.encode(bad, into: &bytes)
        }
        #expect(bytes == before)
    }

    @Test(
        "a draft refuses to write what it has no words for",
        arguments: [
            (DraftProfile.draft18, MoQMessage.unsubscribe(Unsubscribe(requestID: RequestID(0)))),
            (.draft18, .maxRequestID(MaxRequestID(maximum: RequestID(0)))),
            (.draft18, .publishNamespaceDone(PublishNamespaceDone(requestID: RequestID(0)))),
            (.draft18, .setup(Setup(options: SetupOptions(maxRequestID: RequestID(1))))),
            (
                .draft18,
                .subscribeNamespace(
                    SubscribeNamespace(requestID: RequestID(0), prefix: TrackNamespace(), interest: .both)
                )
            ),
            (.draft16, .subscribeTracks(SubscribeTracks(requestID: RequestID(0), prefix: TrackNamespace()))),
            (.draft16, .goaway(Goaway(timeout: 1))),
            (.draft16, .requestOk(RequestOk())),
            (.draft16, .publishNamespace(PublishNamespace(requestID: RequestID(0), namespace: TrackNamespace()))),
            (.draft16, .maxRequestID(MaxRequestID(maximum: RequestID(1 << 62)))),
            (.draft16, .requestUpdate(RequestUpdate(requestID: RequestID(0)))),
            (
                .draft16,
                .subscribe(
                    Subscribe(
                        requestID: RequestID(0),
                        track: MessageSamples.track,
                        parameters: SubscriptionParameters(objectDeliveryTimeout: 0)
                    )
                )
            ),
            (
                .draft16,
                .subscribe(
                    Subscribe(
                        requestID: RequestID(0),
                        track: MessageSamples.track,
                        parameters: SubscriptionParameters(rendezvousTimeout: 1)
                    )
                )
            ),
            (
                .draft18,
                .subscribe(
                    Subscribe(
                        requestID: RequestID(0),
                        track: MessageSamples.track,
                        parameters: SubscriptionParameters(filter: .relativeGroup(back: 1))
                    )
                )
            ),
            (.draft18, .requestError(RequestError(code: .redirect))),
            (.draft16, .requestError(RequestError(requestID: RequestID(0), code: .redirect, redirect: Redirect()))),
            (.draft18, .goaway(Goaway(newSessionURI: "moqt://x"))),
            (.draft18, .setup(Setup(options: SetupOptions(versions: [0xFF00_000E])))),
        ]
    )
    func notExpressible(profile: DraftProfile, message: MoQMessage) throws {
        let codec = MessageCodec(profile: profile, role: .client)
        let error = try #require(throws: MoQWireError.self) {
            try codec.encode(message)
        }
        #expect(error.kind == .notExpressible)
    }

    @Test("ids that a draft leaves to the stream are filled in")
    func fillRequestID() throws {
        var ok = MoQMessage.subscribeOk(SubscribeOk(trackAlias: TrackAlias(1)))
        #expect(ok.requestID == nil)
        ok.fillRequestID(RequestID(4))
        #expect(ok.requestID == RequestID(4))
        ok.fillRequestID(RequestID(6))
        #expect(ok.requestID == RequestID(4))

        var update = MoQMessage.requestOk(RequestOk(answers: .requestUpdate))
        update.fillRequestID(RequestID(4), update: RequestID(8))
        #expect(update.requestID == RequestID(8))
    }
}
