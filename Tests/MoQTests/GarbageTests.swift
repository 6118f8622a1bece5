// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Garbage", .timeLimit(.minutes(2)))
struct GarbageTests {
    /// Numbers that are the same in every run (SplitMix64).
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var value = self.state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    /// Messages that are right, to be made wrong.
    private func messages(_ harness: RawHarness) throws -> [[UInt8]] {
        let id = harness.peerID()
        var messages: [MoQMessage] = [
            .subscribe(Subscribe(requestID: id, track: Harness.track)),
            .publish(Publish(requestID: id, track: Harness.track, trackAlias: TrackAlias(1))),
            .publishNamespace(PublishNamespace(requestID: id, namespace: NamespaceTests.space)),
            .subscribeNamespace(
                SubscribeNamespace(
                    requestID: id,
                    prefix: NamespaceTests.space,
                    interest: harness.profile.hasNamespaceReports ? .namespaces : .both
                )
            ),
            .trackStatus(TrackStatus(requestID: id, track: Harness.track)),
            .goaway(harness.peer.goaway),
        ]
        if harness.profile.hasRequestLimit {
            messages.append(.maxRequestID(MaxRequestID(maximum: RequestID(5_000))))
            messages.append(.unsubscribe(Unsubscribe(requestID: id)))
            let update = RequestUpdate(requestID: id, existingRequestID: id, parameters: .whole)
            messages.append(.requestUpdate(update))
        }
        if harness.profile.namespacesStandForRequests {
            messages.append(.unsubscribeNamespace(UnsubscribeNamespace(prefix: NamespaceTests.space)))
            messages.append(.publishNamespaceDone(PublishNamespaceDone(namespace: NamespaceTests.space)))
        }
        return try messages.map { try harness.peer.bytes($0) }
    }

    private func damage(_ bytes: [UInt8], _ generator: inout Generator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: position)
            default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: position)
            }
        }
        return bytes
    }

    @Test("Whatever a peer sends, the session survives or closes in order, once", arguments: Variant.all)
    func garbage(variant: Variant) throws {
        var generator = Generator(state: 7)
        var codes: Set<SessionErrorCode> = []
        for _ in 0..<250 {
            let harness = try RawHarness.established(variant.profile, peer: variant.subscriber)
            let consumer = CollectingConsumer()
            harness.handler.onPublish = { $0.accept(consumer: consumer) }
            harness.handler.onSubscribe = { $0.accept().send(group: 0, [[1]]) }
            harness.handler.onAnnouncement = { $0.accept() }
            harness.handler.onFeed = { $0.accept() }
            let messages = try self.messages(harness)
            let header = SubgroupHeader(
                trackAlias: TrackAlias(1),
                groupID: 3,
                hasProperties: Bool.random(using: &generator)
            )
            let subgroup = try harness.peer.subgroup(header, [(0, pattern(20)), (4, []), (5, pattern(300))])
            for _ in 0..<Int.random(in: 1...5, using: &generator) where harness.peer.closes.isEmpty {
                let message = self.damage(messages.randomElement(using: &generator) ?? [], &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0:
                    try? harness.peer.sendControl(raw: message)
                case 1:
                    let stream = try? harness.peer.transport.openBidirectionalStream(priority: .request)
                    try? stream?.send.write(Bytes(message))
                    if Bool.random(using: &generator) {
                        try? stream?.send.finish()
                    } else if Bool.random(using: &generator) {
                        stream?.send.reset(code: 1)
                    }
                case 2:
                    let bytes = self.damage(subgroup, &generator)
                    let stream = try? harness.peer.send(uni: bytes, finish: Bool.random(using: &generator))
                    if Bool.random(using: &generator) {
                        stream?.reset(code: 1)
                    }
                default:
                    try? harness.peer.transport.sendDatagram(Bytes(self.damage([0x00, 1, 0, 2, 128, 9], &generator)))
                }
                harness.run(.milliseconds(30))
            }
            if let closure = harness.session.closure {
                #expect(closure.code != .noError)
                #expect(closure.code != .internalError)
                codes.insert(closure.code)
            }
            harness.session.close()
            harness.run()
            #expect(harness.handler.closures.count == 1)
            #expect(consumer.subgroups.allSatisfy { $0.ends.count == 1 })
            #expect(consumer.ends.count <= 1)
            let counters = harness.session.counters
            #expect(counters.liveRequests == 0)
            #expect(counters.liveSubscriptions == 0)
            #expect(counters.livePublications == 0)
            #expect(counters.liveStreamsIn == 0)
            #expect(counters.liveStreamsOut == 0)
            harness.run(.seconds(20))
            #expect(harness.loop.counters.liveTimers == 0)
        }
        #expect(codes.contains(.protocolViolation))
    }
}
