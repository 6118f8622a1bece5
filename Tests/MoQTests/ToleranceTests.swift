// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("What a peer may do, however odd it looks", .timeLimit(.minutes(2)))
struct ToleranceTests {
    /// Lets the peer end the track that it has offered.
    private func sayDone(
        _ harness: RawHarness,
        on stream: BidirectionalStream?,
        streamCount: UInt64,
        finish: Bool = true
    ) throws {
        let done = PublishDone(requestID: harness.peerID(), status: .trackEnded, streamCount: streamCount)
        try (stream?.send ?? harness.peer.control)?.write(Bytes(try harness.peer.bytes(.publishDone(done))))
        if finish {
            try stream?.send.finish()
        }
    }

    /// Lets the peer accept a SUBSCRIBE.
    private func answer(_ subscription: Subscription, alias: UInt64, _ harness: RawHarness) throws {
        let id = try #require(subscription.requestID)
        let ok = MoQMessage.subscribeOk(SubscribeOk(requestID: id, trackAlias: TrackAlias(alias)))
        if harness.profile.controlShape == .pairWithRequestStreams {
            try #require(harness.peer.requests.last).send.write(Bytes(try harness.peer.bytes(ok)))
        } else {
            try harness.peer.sendControl(ok)
        }
        harness.run()
    }

    @Test("A reset behind the last byte of a stream takes nothing back", arguments: DraftProfile.all, Role.both)
    func resetBehind(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        try harness.offer(alias: 5, consumer: consumer)
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 0)
        let stream = try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, pattern(10)), (1, [1])]))
        harness.run()
        stream.reset(code: StreamResetCode.deliveryTimeout.wireValue(in: profile))
        harness.run()
        #expect(consumer.contents.map(\.payload) == [pattern(10), [1]])
        #expect(consumer.subgroups.map(\.ends) == [[.reset(.deliveryTimeout)]])
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test("More streams than PUBLISH_DONE counts are stopped", arguments: DraftProfile.all, Role.both)
    func tooManyStreams(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        let request = try harness.offer(alias: 5, consumer: consumer)
        try self.sayDone(harness, on: request, streamCount: 1, finish: false)
        for group in UInt64(0)..<3 {
            let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: group)
            try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]), finish: group == 0)
            harness.run()
        }
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 1)])
        #expect(consumer.contents.count == 1)
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.streamsStopped == 2)
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test("Padding is read and ignored", arguments: Role.both)
    func padding(role: Role) throws {
        let harness = try RawHarness.established(.draft18, peer: role)
        // 0x132B3E28 and 0x132B3E29 take five bytes.
        let padding: [UInt8] = [0xF0, 0x13, 0x2B, 0x3E]
        try harness.peer.send(uni: padding + [0x28] + Array(repeating: 0, count: 5_000), finish: true)
        try harness.peer.transport.sendDatagram(Bytes(padding + [0x29, 0, 0, 0]))
        harness.run()
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test("Objects that come before the answer wait for it", arguments: Variant.all, [true, false])
    func early(peer: Variant, finished: Bool) throws {
        let harness = try RawHarness.established(peer.profile, peer: peer.subscriber)
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 2, subgroupID: .firstObject)
        let bytes = try harness.peer.subgroup(header, [(3, pattern(2_000)), (7, [1])])
        let stream = try harness.peer.send(uni: bytes, finish: finished)
        try harness.peer.transport.sendDatagram([0x04, 5, 0, 128, 1])
        harness.run()
        #expect(harness.session.counters.liveHeldStreams == 1)
        #expect(harness.session.counters.datagramsUnknownTrack == 1)
        let consumer = CollectingConsumer()
        try harness.offer(alias: 5, consumer: consumer)
        if !finished {
            try stream.finish()
            harness.run()
        }
        #expect(
            consumer.contents == [
                Content(group: 2, id: 3, payload: pattern(2_000)), Content(group: 2, id: 7, payload: [1]),
            ]
        )
        #expect(consumer.subgroups.map(\.description.subgroup) == [3])
        #expect(consumer.subgroups.map(\.ends) == [[.finished]])
        #expect(harness.session.counters.liveStreamsIn == 0)
    }

    @Test(
        "Streams that nobody claims are stopped: in time, and beyond a number",
        arguments: DraftProfile.all,
        Role.both
    )
    func unclaimed(profile: DraftProfile, role: Role) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxHeldStreams = 3
        let harness = try RawHarness.established(profile, peer: role, configuration: configuration)
        for group in UInt64(0)..<5 {
            let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: group)
            try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]))
        }
        harness.run()
        #expect(harness.session.counters.liveHeldStreams == 3)
        #expect(harness.session.counters.streamsStopped == 2)
        harness.run(.seconds(6))
        #expect(harness.session.counters.liveStreamsIn == 0)
        #expect(harness.session.counters.streamsStopped == 5)
        #expect(harness.session.isOpen)
    }

    @Test("Late streams of a cancelled subscription are stopped at once", arguments: DraftProfile.all, Role.both)
    func late(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let subscription = Box<Subscription>()
        harness.handler.onPublish = { subscription.value = $0.accept(consumer: CollectingConsumer()) }
        let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
        try harness.peer.request(.publish(message))
        harness.run()
        subscription.value?.cancel()
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 0)
        try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]))
        harness.run()
        #expect(harness.session.counters.streamsStopped == 1)
        #expect(harness.session.counters.liveHeldStreams == 0)
    }

    @Test("An alias that comes back is waited for while an answer is due", arguments: DraftProfile.all, Role.both)
    func aliasComesBack(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let first = Box<Subscription>()
        harness.handler.onPublish = { first.value = $0.accept(consumer: CollectingConsumer()) }
        let message = Publish(requestID: harness.peerID(), track: Harness.track, trackAlias: TrackAlias(5))
        try harness.peer.request(.publish(message))
        harness.run()
        first.value?.cancel()
        harness.run()
        let consumer = CollectingConsumer()
        let second = harness.session.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: 3)
        try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]), finish: true)
        harness.run()
        #expect(harness.session.counters.liveHeldStreams == 1)
        try self.answer(second, alias: 5, harness)
        #expect(consumer.responses.count == 1)
        #expect(consumer.contents == [Content(group: 3, id: 0, payload: [1])])
    }

    @Test("Datagrams that overtake the answer wait for it, up to a number", arguments: DraftProfile.all, Role.both)
    func earlyDatagrams(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        let subscription = harness.session.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        for index in 0..<518 {
            // Of every seven one belongs to another track.
            let alias: UInt8 = index % 7 == 0 ? 6 : 5
            try harness.peer.transport.sendDatagram([0x00, alias, UInt8(index / 64), UInt8(index % 64), 128, 1])
            harness.run(.milliseconds(1))
        }
        harness.run()
        #expect(harness.session.counters.datagramsUnknownTrack == 6, "beyond the number")
        try self.answer(subscription, alias: 5, harness)
        let expected = (0..<512).filter { $0 % 7 != 0 }
        #expect(consumer.datagrams.map(\.header.groupID) == expected.map { UInt64($0 / 64) })
        #expect(consumer.datagrams.map(\.header.objectID) == expected.map { UInt64($0 % 64) })
        #expect(harness.session.counters.datagramsUnknownTrack == 80, "those of the other track are given up")
        #expect(harness.session.counters.objectsReceived == UInt64(expected.count))
        // Nothing is held without a SUBSCRIBE that waits.
        try harness.peer.transport.sendDatagram([0x00, 6, 0, 1, 128, 1])
        harness.run()
        #expect(harness.session.counters.datagramsUnknownTrack == 81)
    }

    @Test(
        "The alias in an answer that comes after the cancellation is not waited for",
        arguments: [DraftProfile.draft16, .draft14],
        Role.both
    )
    func lateAnswer(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let subscription = harness.session.subscribe(
            SubscribeRequest(track: Harness.track),
            consumer: CollectingConsumer()
        ) { _ in }
        harness.run()
        subscription.cancel()
        try self.answer(subscription, alias: 7, harness)
        let header = SubgroupHeader(trackAlias: TrackAlias(7), groupID: 0)
        try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]))
        harness.run()
        #expect(harness.session.isOpen)
        #expect(harness.session.counters.streamsStopped == 1)
        #expect(harness.session.counters.liveHeldStreams == 0)
    }

    @Test(
        "PUBLISH_DONE that overtakes its streams waits for them, but not for ever",
        arguments: DraftProfile.all,
        Role.both
    )
    func streamCount(profile: DraftProfile, role: Role) throws {
        for count in [UInt64(2), 3] {
            let harness = try RawHarness.established(profile, peer: role)
            let consumer = CollectingConsumer()
            let stream = try harness.offer(alias: 5, consumer: consumer)
            try self.sayDone(harness, on: stream, streamCount: count)
            harness.run()
            #expect(consumer.ends.isEmpty)
            for group in UInt64(0)..<2 {
                let header = SubgroupHeader(trackAlias: TrackAlias(5), groupID: group)
                try harness.peer.send(uni: try harness.peer.subgroup(header, [(0, [1])]), finish: true)
            }
            harness.run()
            #expect(consumer.ends.count == (count == 2 ? 1 : 0))
            // What came starts the wait for the missing stream anew, once.
            harness.run(.seconds(11))
            #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: count)])
            #expect(consumer.contents.count == 2)
            #expect(harness.session.counters.liveSubscriptions == 0)
        }
    }

    @Test("Datagrams that PUBLISH_DONE overtook arrive all the same", arguments: DraftProfile.all, Role.both)
    func lateDatagrams(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let consumer = CollectingConsumer()
        let stream = try harness.offer(alias: 5, consumer: consumer)
        try harness.peer.transport.sendDatagram([0x00, 5, 0, 0, 128, 1])
        harness.run()
        try self.sayDone(harness, on: stream, streamCount: 0)
        harness.run(.milliseconds(50))
        #expect(consumer.ends.isEmpty)
        try harness.peer.transport.sendDatagram([0x00, 5, 0, 1, 128, 2])
        harness.run(.milliseconds(200))
        #expect(consumer.datagrams.map(\.payload) == [[1], [2]])
        #expect(consumer.ends == [TrackEnd(status: .trackEnded, streamCount: 0)])
        #expect(harness.session.counters.liveSubscriptions == 0)
    }

    @Test(
        "A request that overtakes the setup waits for it",
        arguments: [DraftProfile.draft18, .draft16],
        [true, false]
    )
    func requestBeforeSetup(profile: DraftProfile, finished: Bool) throws {
        let harness = RawHarness(profile, peer: .client)
        harness.session.start()
        let request = SubscribeNamespace(requestID: RequestID(0), prefix: TrackNamespace(path: "live"))
        let stream = try #require(try harness.peer.request(.subscribeNamespace(request)))
        harness.run()
        #expect(harness.handler.feeds.isEmpty)
        #expect(harness.session.isOpen)
        if finished {
            try stream.send.finish()
            harness.run()
        }
        try harness.peer.setUp()
        harness.run()
        #expect(harness.session.state == .established)
        #expect(harness.handler.feeds.count == 1)
    }

    @Test("A FIN does not withdraw an announcement, a reset does", arguments: Role.both)
    func announcementStream(role: Role) throws {
        let harness = try RawHarness.established(.draft18, peer: role)
        var withdrawals = 0
        harness.handler.onAnnouncement = { request in
            request.onWithdrawn = { withdrawals += 1 }
            request.accept()
        }
        for (index, withdraws) in [false, true].enumerated() {
            let message = PublishNamespace(
                requestID: harness.peerID(UInt64(index)),
                namespace: TrackNamespace(path: "n/\(index)")
            )
            let stream = try #require(try harness.peer.request(.publishNamespace(message)))
            harness.run()
            if withdraws {
                stream.send.reset(code: 1)
            } else {
                try stream.send.finish()
            }
            harness.run()
            #expect(withdrawals == (withdraws ? 1 : 0))
        }
        #expect(harness.session.counters.liveRequests == 1)
    }

    @Test("Messages cut at every byte arrive all the same", arguments: DraftProfile.all, Role.both)
    func cutMessages(profile: DraftProfile, role: Role) throws {
        let harness = try RawHarness.established(profile, peer: role)
        let message = PublishNamespace(requestID: harness.peerID(), namespace: NamespaceTests.space)
        let bytes = try harness.peer.bytes(.publishNamespace(message))
        let stream: SendStream
        if profile.controlShape == .pairWithRequestStreams {
            stream = try harness.peer.transport.openBidirectionalStream(priority: .request).send
        } else {
            stream = try #require(harness.peer.control)
        }
        for byte in bytes {
            try stream.write(Bytes([byte]))
            harness.run(.milliseconds(20))
        }
        #expect(harness.handler.announcements.map(\.namespace) == [NamespaceTests.space])
    }
}
