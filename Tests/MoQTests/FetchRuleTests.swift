// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Rules of fetches", .timeLimit(.minutes(2)))
struct FetchRuleTests {
    /// A session that has sent a FETCH for groups 2 to 9 to a raw peer.
    private struct Scene {
        let harness: RawHarness
        let consumer: CollectingFetch
        let receiver: FetchReceiver
        let id: RequestID

        init(
            _ profile: DraftProfile,
            order: GroupOrder? = nil,
            configuration: MoQSessionConfiguration = MoQSessionConfiguration()
        ) throws {
            let consumer = CollectingFetch()
            self.harness = try RawHarness.established(profile, peer: .server, configuration: configuration)
            self.consumer = consumer
            self.receiver = self.harness.session.fetch(
                FetchRequest(
                    track: Harness.track,
                    from: Location(group: 2, object: 3),
                    through: .group(9),
                    parameters: FetchParameters(groupOrder: order)
                ),
                consumer: consumer
            ) { consumer.responses.append($0) }
            self.harness.run()
            self.id = try #require(self.receiver.requestID)
        }

        func accept(_ end: FetchEnd = .group(9), properties: PropertyList = PropertyList()) throws {
            try self.harness.peer.reply(
                .fetchOk(FetchOk(requestID: self.id, endOfTrack: false, end: end, properties: properties))
            )
            self.harness.run()
        }

        /// The bytes of the fetch's stream with these objects.
        func stream(_ objects: [FetchObjectHeader], order: GroupOrder = .ascending) throws -> [UInt8] {
            try self.harness.peer.fetchStream(self.id, order: order) { encoder, bytes in
                for object in objects {
                    try encoder.encode(object, into: &bytes)
                    bytes += Array(repeating: 1, count: Int(object.payloadLength))
                }
            }
        }

        var wasCancelled: Bool {
            self.harness.peer.messages.contains { message in
                if case .fetchCancel(let cancel) = message { cancel.requestID == self.id } else { false }
            }
        }
    }

    @Test("A FETCH_OK that ends before the start closes the session", arguments: DraftProfile.all)
    func endBeforeStart(profile: DraftProfile) throws {
        for end in [FetchEnd.group(1), .object(Location(group: 2, object: 1))] {
            let scene = try Scene(profile)
            try scene.accept(end)
            #expect(scene.harness.handler.closures.map(\.code) == [.protocolViolation])
            #expect(scene.consumer.responses.map { $0.failure?.code } == [.sessionClosed])
        }
        // An end that is written like the start is not smaller.
        let scene = try Scene(profile)
        try scene.accept(.object(Location(group: 2, object: 2)))
        #expect(scene.harness.session.isOpen)
        #expect(scene.consumer.responses.first?.failure == nil)
    }

    @Test("So does one that ends before the start of a joining fetch", arguments: DraftProfile.all)
    func endBeforeJoin(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .server)
        let subscription = harness.session.subscribe(
            SubscribeRequest(track: Harness.track, parameters: SubscriptionParameters(filter: .nextObject)),
            consumer: CollectingConsumer()
        ) { _ in }
        harness.run()
        let ok = SubscribeOk(
            requestID: subscription.requestID,
            trackAlias: TrackAlias(1),
            largestObject: Location(group: 7, object: 0)
        )
        try harness.peer.reply(.subscribeOk(ok))
        harness.run()
        let receiver = subscription.fetch(from: .groupsBack(2), consumer: CollectingFetch()) { _ in }
        harness.run()
        let answer = FetchOk(requestID: receiver.requestID, endOfTrack: false, end: .group(4))
        try harness.peer.reply(.fetchOk(answer))
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("A second answer closes the session", arguments: DraftProfile.all)
    func secondAnswer(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.accept()
        try scene.accept()
        #expect(scene.harness.handler.closures.map(\.code) == [.protocolViolation])
        #expect(scene.consumer.outcomes == [.sessionClosed])
    }

    @Test("An answer of another kind closes the session", arguments: DraftProfile.all)
    func wrongAnswer(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.harness.peer.reply(.subscribeOk(SubscribeOk(requestID: scene.id, trackAlias: TrackAlias(1))))
        scene.harness.run()
        #expect(scene.harness.handler.closures.map(\.code) == [.protocolViolation])
    }

    @Test("A stream that comes before the answer is held back until then", arguments: DraftProfile.all)
    func early(profile: DraftProfile) throws {
        for isFinished in [true, false] {
            let scene = try Scene(profile)
            try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0), .plain(3, 1)]), finish: isFinished)
            scene.harness.run()
            #expect(scene.consumer.events.isEmpty)
            try scene.accept()
            #expect(scene.consumer.locations.map(\.object) == [0, 1])
            #expect(scene.consumer.outcomes == (isFinished ? [.complete] : []))
        }
    }

    @Test("A stream that comes before a refusal is not looked at", arguments: DraftProfile.all)
    func earlyRefused(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        let stream = try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0)]))
        scene.harness.run()
        try scene.harness.peer.reply(
            .requestError(RequestError(requestID: scene.id, answers: .fetch, code: .doesNotExist))
        )
        scene.harness.run()
        #expect(scene.consumer.responses.map { $0.failure?.requestError } == [.doesNotExist])
        #expect(scene.consumer.events.isEmpty)
        #expect(scene.consumer.outcomes.isEmpty)
        #expect(stream.isReset)
        #expect(scene.harness.session.counters.liveStreamsIn == 0)
        #expect(scene.harness.session.counters.liveRequests == 0)
    }

    @Test("A stream that is reset before the answer ends the fetch after it", arguments: DraftProfile.all)
    func earlyReset(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        let stream = try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0)]))
        scene.harness.run()
        stream.reset(code: StreamResetCode.deliveryTimeout.wireValue(in: profile))
        scene.harness.run()
        #expect(scene.consumer.responses.isEmpty)
        try scene.accept()
        #expect(scene.consumer.responses.first?.failure == nil)
        #expect(scene.consumer.outcomes == [.reset(.deliveryTimeout)])
        #expect(scene.harness.session.counters.liveRequests == 0)
    }

    @Test("Objects out of order are a malformed track: the fetch is cancelled", arguments: DraftProfile.all)
    func disorder(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.accept()
        var bytes = try scene.stream([.plain(3, 4)])
        // The same object again.
        switch profile {
        case .draft14: bytes += [3, 0, 4, 128, 0, 1, 1]
        case .draft16: bytes += [0x04, 4, 1, 1]
        default: bytes += [0x04, 0, 1, 1]
        }
        try scene.harness.peer.send(uni: bytes)
        scene.harness.run()
        guard case .malformedTrack = scene.consumer.outcomes.first else {
            Issue.record("\(scene.consumer.outcomes)")
            return
        }
        #expect(scene.consumer.outcomes.count == 1)
        #expect(scene.consumer.locations == [Location(group: 3, object: 4)])
        #expect(scene.harness.session.isOpen)
        #expect(scene.harness.session.counters.liveRequests == 0)
        #expect(scene.harness.session.counters.liveStreamsIn == 0)
        if !profile.hasOwnStream(.fetch) {
            #expect(scene.wasCancelled)
        } else {
            #expect(scene.harness.peer.requests.last?.send.isReset == true)
        }
    }

    @Test(
        "Groups against the order are a malformed track on drafts that can write them",
        arguments: [DraftProfile.draft16, .draft14]
    )
    func groupDisorder(profile: DraftProfile) throws {
        for order in [GroupOrder.ascending, .descending] {
            let scene = try Scene(profile, order: order)
            try scene.accept()
            let objects: [FetchObjectHeader] = [.plain(4, 0), .plain(order == .ascending ? 3 : 5, 0)]
            let opposite: GroupOrder = order == .ascending ? .descending : .ascending
            try scene.harness.peer.send(uni: try scene.stream(objects, order: opposite), finish: true)
            scene.harness.run()
            #expect(scene.consumer.locations == [Location(group: 4, object: 0)])
            guard case .malformedTrack = scene.consumer.outcomes.first else {
                Issue.record("\(scene.consumer.outcomes)")
                return
            }
        }
    }

    @Test(
        "A first object that refers to one before closes the session",
        arguments: [DraftProfile.draft18, .draft16]
    )
    func reference(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.accept()
        try scene.harness.peer.send(uni: try scene.stream([]) + [0x00, 1, 1])
        scene.harness.run()
        #expect(scene.harness.handler.closures.map(\.code) == [.protocolViolation])
        #expect(scene.consumer.outcomes == [.sessionClosed])
        #expect(scene.harness.session.counters.liveStreamsIn == 0)
    }

    @Test("A FIN inside an object, and inside the header, closes the session", arguments: DraftProfile.all)
    func cutShort(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.accept()
        try scene.harness.peer.send(uni: Array(try scene.stream([.plain(3, 0)]).dropLast()), finish: true)
        scene.harness.run()
        #expect(scene.harness.handler.closures.map(\.code) == [.protocolViolation])
        let other = try Scene(profile)
        try other.harness.peer.send(uni: [0x05], finish: true)
        other.harness.run()
        #expect(other.harness.handler.closures.map(\.code) == [.protocolViolation])
        #expect(other.harness.session.counters.liveStreamsIn == 0)
    }

    @Test("A stream that belongs to no fetch, or is the second of one, is stopped", arguments: DraftProfile.all)
    func strayStreams(profile: DraftProfile) throws {
        let scene = try Scene(profile)
        try scene.accept()
        let first = try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0)]))
        scene.harness.run()
        let second = try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0)]))
        let unknown = try scene.harness.peer.send(uni: try scene.harness.peer.fetchStream(RequestID(400)))
        scene.harness.run()
        #expect(!first.isReset)
        #expect(second.isReset && unknown.isReset)
        #expect(scene.harness.session.counters.streamsStopped == 2)
        scene.receiver.cancel()
        scene.harness.run()
        let late = try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0)]))
        scene.harness.run()
        #expect(first.isReset && late.isReset)
        #expect(scene.harness.session.isOpen)
        #expect(scene.consumer.locations.count == 1)
        #expect(scene.harness.session.counters.liveStreamsIn == 0)
    }

    @Test("Properties beyond the limit end that fetch alone", arguments: DraftProfile.all)
    func limit(profile: DraftProfile) throws {
        var configuration = MoQSessionConfiguration()
        configuration.maxObjectPropertiesByteCount = 10
        let scene = try Scene(profile, configuration: configuration)
        try scene.accept()
        var object = FetchObjectHeader.plain(3, 0)
        object.properties = try PropertyList([try #require(KeyValuePair(type: 0x3D, bytes: pattern(20)))])
        try scene.harness.peer.send(uni: try scene.stream([object]))
        scene.harness.run()
        #expect(scene.consumer.outcomes == [.reset(.internalError)])
        #expect(scene.harness.session.isOpen)
        #expect(scene.harness.session.counters.liveRequests == 0)
    }

    @Test("A mandatory property that nobody understands cancels the fetch")
    func mandatoryProperty() throws {
        let scene = try Scene(.draft18)
        try scene.accept(properties: try PropertyList([try #require(KeyValuePair(type: 0x4000, integer: 1))]))
        #expect(scene.consumer.responses.map { $0.failure?.requestError } == [.unsupportedExtension])
        #expect(scene.consumer.outcomes.isEmpty)
        #expect(scene.harness.peer.requests.last?.send.isReset == true)
        #expect(scene.harness.session.isOpen)
        #expect(scene.harness.session.counters.liveRequests == 0)
    }

    @Test("The end of the request's stream cancels the fetch; after the answer a FIN means nothing")
    func requestStreamEnds() throws {
        for (isAnswered, isReset) in [(false, false), (false, true), (true, false), (true, true)] {
            let scene = try Scene(.draft18)
            if isAnswered {
                try scene.accept()
            }
            let stream = try #require(scene.harness.peer.requests.last)
            if isReset {
                stream.send.reset(code: 0)
            } else {
                try stream.send.finish()
            }
            scene.harness.run()
            switch (isAnswered, isReset) {
            case (false, _):
                #expect(scene.consumer.responses.map { $0.failure?.code } == [.cancelledByPeer])
            case (true, false):
                #expect(scene.receiver.state == .active)
                try scene.harness.peer.send(uni: try scene.stream([.plain(3, 0)]), finish: true)
                scene.harness.run()
                #expect(scene.consumer.outcomes == [.complete])
            case (true, true):
                #expect(scene.consumer.outcomes == [.reset(.internalError)])
            }
            #expect(scene.harness.session.counters.liveRequests == 0)
        }
    }

    @Test(
        "FETCH_CANCEL of nothing, and of something else, closes the session",
        arguments: [DraftProfile.draft16, .draft14],
        Role.both
    )
    func strayCancel(profile: DraftProfile, role: Role) throws {
        for hasRequest in [true, false] {
            let harness = try RawHarness.established(profile, peer: role)
            if hasRequest {
                try harness.peer.request(.subscribe(Subscribe(requestID: harness.peerID(), track: Harness.track)))
            }
            try harness.peer.sendControl(.fetchCancel(FetchCancel(requestID: harness.peerID())))
            harness.run()
            #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
        }
    }

    @Test("A range that ends before it starts is answered INVALID_RANGE", arguments: DraftProfile.all)
    func reversed(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .client)
        let target = FetchTarget.standalone(
            track: Harness.track,
            start: Location(group: 2, object: 0),
            end: .group(1)
        )
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(), target: target)))
        harness.run()
        let codes = harness.peer.messages.compactMap { message in
            if case .requestError(let error) = message { error.code } else { nil }
        }
        #expect(codes == [.invalidRange])
        #expect(harness.handler.fetches.isEmpty)
    }

    @Test(
        "An update changes the priority, and is answered after the request",
        arguments: [DraftProfile.draft18, .draft16]
    )
    func update(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .client)
        let target = FetchTarget.standalone(
            track: Harness.track,
            start: Location(group: 0, object: 0),
            end: .group(1)
        )
        let stream = try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(), target: target)))
        let update = RequestUpdate(
            requestID: harness.peerID(1),
            existingRequestID: profile.repliesCarryRequestID ? harness.peerID() : nil,
            parameters: SubscriptionParameters(subscriberPriority: 4)
        )
        if let stream {
            try stream.send.write(Bytes(try harness.peer.bytes(.requestUpdate(update))))
        } else {
            try harness.peer.sendControl(.requestUpdate(update))
        }
        harness.run()
        let request = try #require(harness.handler.fetches.first)
        let answers = { harness.peer.messages.compactMap(Self.answer) }
        #expect(answers().isEmpty)
        let publisher = request.accept(largest: Location(group: 0, object: 0))
        #expect(publisher.subscriberPriority == 4)
        harness.run()
        #expect(answers() == ["FETCH_OK", "REQUEST_OK"])
        #expect(harness.session.isOpen)
    }

    private static func answer(_ message: MoQMessage) -> String? {
        switch message {
        case .fetchOk: "FETCH_OK"
        case .requestOk: "REQUEST_OK"
        case .requestError: "REQUEST_ERROR"
        default: nil
        }
    }

    @Test("A peer that stops the stream of a fetch has cancelled it", arguments: DraftProfile.all)
    func stopped(profile: DraftProfile) throws {
        let delegate = RecordingFetchDelegate()
        let raw = try RawHarness.established(profile, peer: .client)
        raw.handler.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 0, object: 0))
            publisher.delegate = delegate
            publisher.send(0, 0)
        }
        let target = FetchTarget.standalone(track: Harness.track, start: Location(group: 0, object: 0), end: .group(1))
        try raw.peer.request(.fetch(Fetch(requestID: raw.peerID(), target: target)))
        raw.run()
        let stream = try #require(raw.peer.dataStreams.last)
        stream.stopSending(code: 1)
        raw.run()
        #expect(delegate.ends == [.cancelledByPeer])
        #expect(raw.session.counters.liveRequests == 0)
        #expect(raw.session.counters.liveStreamsOut == 0)
        #expect(raw.session.isOpen)
    }
}
