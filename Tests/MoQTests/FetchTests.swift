// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Fetching", .timeLimit(.minutes(2)))
struct FetchTests {
    @Test(
        "A FETCH that leaves the order to the publisher gets the publisher's, on draft 14",
        arguments: DraftProfile.all
    )
    func publishersOrder(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .client)
        let range = FetchTarget.standalone(track: Harness.track, start: Location(group: 0, object: 0), end: .group(9))
        try harness.peer.request(.fetch(Fetch(requestID: harness.peerID(), target: range)))
        harness.run()
        let request = try #require(harness.handler.fetches.first)
        #expect(request.request.groupOrder == nil)
        let publisher = request.accept(largest: Location(group: 3, object: 0), groupOrder: .descending)
        let order: GroupOrder = profile == .draft14 ? .descending : .ascending
        #expect(publisher.groupOrder == order)
        for group in order == .descending ? [3, 2] : [2, 3] as [UInt64] {
            publisher.beginObject(.plain(group, 0, count: 0))
        }
        publisher.finish()
        harness.run()
        #expect(publisher.isEnded)
        #expect(harness.session.counters.objectsSent == 2)
        guard case .fetchOk(let ok)? = harness.peer.messages.last else {
            throw Missing(what: "a FETCH_OK")
        }
        #expect(ok.groupOrder == (profile == .draft14 ? .descending : nil))
    }

    @Test("A range arrives whole and in order, with its gaps", arguments: Variant.all)
    func whole(variant: Variant) throws {
        let harness = Harness.established(variant)
        let properties = try PropertyList([try #require(KeyValuePair(type: 0x3C, integer: 1))])
        var tagged = FetchObjectHeader.plain(2, 4, count: 3_000)
        tagged.subgroupID = 7
        tagged.publisherPriority = 3
        tagged.properties = try properties.transcoded(to: variant.profile.coding)
        var datagram = FetchObjectHeader.plain(2, 5, count: 2)
        datagram.subgroupID = nil
        let delegate = RecordingFetchDelegate()
        harness.serveFetches(isTrackComplete: true, delegate: delegate) { publisher in
            #expect(publisher.track == Harness.track)
            #expect(publisher.groupOrder == .ascending)
            #expect(publisher.subscriberPriority == 17)
            publisher.send(0, 2)
            publisher.send(0, 3, [])
            if variant.profile != .draft14 {
                publisher.endRange(.unknown, through: Location(group: 1, object: 8))
            }
            publisher.endRange(.nonExistent, through: Location(group: 2, object: 3))
            publisher.send(tagged, pattern(3_000))
            publisher.send(datagram, [9, 9])
            publisher.finish()
        }
        let consumer = CollectingFetch()
        let receiver = harness.fetch(
            from: Location(group: 0, object: 2),
            parameters: FetchParameters(subscriberPriority: 17),
            consumer
        )
        #expect(receiver.state == .pending)
        harness.run()
        let ok = try #require(try consumer.responses.first?.get())
        #expect(consumer.responses.count == 1)
        #expect(ok.end == .object(Location(group: 9, object: 9)))
        #expect(ok.endOfTrack)
        #expect(receiver.answer == ok)
        var events: [CollectingFetch.Event] = [
            .object(.plain(0, 2), [1, 2, 3]),
            .object(.plain(0, 3, count: 0), []),
            .gap(.unknown, Location(group: 1, object: 8)),
            .gap(.nonExistent, Location(group: 2, object: 3)),
            .object(tagged, pattern(3_000)),
        ]
        if variant.profile == .draft14 {
            // What is left out does not exist, without a word, and a datagram's subgroup is its object id.
            events.removeAll { event in
                if case .gap = event { true } else { false }
            }
            datagram.subgroupID = datagram.location.object
        }
        #expect(consumer.events == events + [.object(datagram, [9, 9])])
        #expect(consumer.outcomes == [.complete])
        #expect(receiver.state == .ended)
        #expect(delegate.ends == [.finished])
        harness.expectNothingLive()
    }

    @Test("Descending groups have ascending objects", arguments: Variant.all)
    func descending(variant: Variant) {
        let harness = Harness.established(variant)
        let locations = [(5, 0), (5, 3), (4, 1), (2, 7), (2, 8)].map {
            Location(group: UInt64($0.0), object: UInt64($0.1))
        }
        harness.serveFetches { publisher in
            #expect(publisher.groupOrder == .descending)
            for location in locations {
                publisher.send(location.group, location.object)
            }
            publisher.endRange(.nonExistent, through: Location(group: 1, object: 0))
            publisher.finish()
        }
        let consumer = CollectingFetch()
        harness.fetch(parameters: FetchParameters(groupOrder: .descending), consumer)
        harness.run()
        #expect(consumer.locations == locations)
        if variant.profile != .draft14 {
            #expect(consumer.events.last == .gap(.nonExistent, Location(group: 1, object: 0)))
        }
        #expect(consumer.outcomes == [.complete])
    }

    @Test("A range without objects is complete all the same", arguments: Variant.all)
    func empty(variant: Variant) {
        let harness = Harness.established(variant)
        harness.serveFetches { $0.finish() }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        #expect(consumer.responses.first?.failure == nil)
        #expect(consumer.events.isEmpty)
        #expect(consumer.outcomes == [.complete])
        harness.expectNothingLive()
    }

    @Test(
        "What begins after the largest object, or where there is none, is answered INVALID_RANGE",
        arguments: Variant.all
    )
    func invalidRange(variant: Variant) {
        let harness = Harness.established(variant)
        let consumer = CollectingFetch()
        for largest in [nil, Location(group: 3, object: 4)] {
            harness.serveFetches(largest: largest) { #expect($0.isEnded) }
            harness.fetch(from: Location(group: 3, object: 5), consumer)
            harness.run()
        }
        #expect(consumer.responses.map { $0.failure?.requestError } == [.invalidRange, .invalidRange])
        #expect(consumer.outcomes.isEmpty)
        harness.expectNothingLive()
    }

    @Test("A range that ends before it starts is not sent", arguments: Variant.all)
    func reversed(variant: Variant) {
        let harness = Harness.established(variant)
        let consumer = CollectingFetch()
        harness.fetch(from: Location(group: 3, object: 5), through: .object(Location(group: 3, object: 4)), consumer)
        #expect(consumer.responses.isEmpty, "never from inside the call")
        harness.run()
        #expect(consumer.responses.map { $0.failure?.code } == [.notExpressible])
        #expect(harness.publisherHandler.fetches.isEmpty)
    }

    @Test("A refusal carries code, reason and retry", arguments: Variant.all)
    func rejected(variant: Variant) throws {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFetch = { $0.reject(.doesNotExist, reason: "no such track", retryAfter: 500) }
        let consumer = CollectingFetch()
        let receiver = harness.fetch(consumer)
        harness.run()
        let error = try #require(consumer.responses.first?.failure)
        #expect(error.requestError == .doesNotExist)
        #expect(error.message == "no such track")
        #expect(error.retryAfter == (variant.profile == .draft14 ? nil : 500))
        #expect(receiver.state == .ended)
        #expect(consumer.outcomes.isEmpty)
        harness.expectNothingLive()
    }

    @Test("A fetch that the handler drops is answered INTERNAL_ERROR", arguments: Variant.all)
    func dropped(variant: Variant) {
        let harness = Harness.established(variant)
        harness.publisherHandler.onFetch = { _ in }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        #expect(consumer.responses.map { $0.failure?.requestError } == [.internalError])
    }

    @Test("A cancel before the answer fails the response and reaches the other side", arguments: Variant.all)
    func cancelPending(variant: Variant) throws {
        let harness = Harness.established(variant)
        let consumer = CollectingFetch()
        let receiver = harness.fetch(consumer)
        harness.run()
        let request = try #require(harness.publisherHandler.fetches.first)
        var cancels = 0
        request.onCancelled = { cancels += 1 }
        receiver.cancel()
        #expect(consumer.responses.map { $0.failure?.code } == [.cancelled])
        harness.run()
        #expect(cancels == 1)
        #expect(!request.isPending)
        #expect(request.accept(largest: Location(group: 9, object: 9)).isEnded)
        harness.run()
        #expect(consumer.outcomes.isEmpty)
        harness.expectNothingLive()
    }

    @Test("A cancel before the setup never sends the request", arguments: Variant.all)
    func cancelWaiting(variant: Variant) {
        let harness = Harness(variant)
        let consumer = CollectingFetch()
        harness.fetch(consumer).cancel()
        #expect(consumer.responses.map { $0.failure?.code } == [.cancelled])
        harness.start()
        harness.run()
        #expect(harness.publisherHandler.fetches.isEmpty)
    }

    @Test("A cancel amid the objects ends both sides once", arguments: Variant.all)
    func cancelActive(variant: Variant) throws {
        let harness = Harness.established(variant)
        let delegate = RecordingFetchDelegate()
        let box = Box<FetchPublisher>()
        harness.serveFetches(delegate: delegate) { publisher in
            box.value = publisher
            publisher.send(0, 0)
        }
        let consumer = CollectingFetch()
        let receiver = harness.fetch(consumer)
        harness.run()
        #expect(receiver.state == .active)
        #expect(harness.subscriber.counters.liveFetches == 1)
        #expect(harness.publisher.counters.liveFetchesServed == 1)
        receiver.cancel()
        #expect(consumer.outcomes == [.cancelled])
        let publisher = try #require(box.value)
        publisher.send(0, 1)
        harness.run()
        publisher.send(0, 2)
        publisher.finish()
        harness.run()
        #expect(delegate.ends == [.cancelledByPeer])
        #expect(consumer.locations.count == 1)
        #expect(consumer.outcomes.count == 1)
        harness.expectNothingLive()
    }

    @Test("A cancel from inside every call of the consumer", arguments: Variant.all, [0, 1, 2])
    func cancelInside(variant: Variant, place: Int) {
        let harness = Harness.established(variant)
        harness.serveFetches { publisher in
            for object in UInt64(0)..<5 {
                publisher.send(0, object)
            }
            publisher.finish()
        }
        let consumer = CollectingFetch()
        let receiver = Box<FetchReceiver>()
        let cancel = { receiver.value?.cancel() }
        switch place {
        case 0: consumer.onObject = { cancel() }
        case 1: consumer.onPayload = { cancel() }
        default: consumer.onEnd = { cancel() }
        }
        receiver.value = harness.fetch(consumer)
        harness.run()
        #expect(consumer.locations.count == (place == 2 ? 5 : 1))
        #expect(consumer.outcomes == [place == 2 ? .complete : .cancelled])
        harness.expectNothingLive()
    }

    @Test("A response that is given up carries its code", arguments: Variant.all)
    func reset(variant: Variant) {
        let harness = Harness.established(variant)
        let delegate = RecordingFetchDelegate()
        let box = Box<FetchPublisher>()
        harness.serveFetches(delegate: delegate) { publisher in
            publisher.send(0, 0)
            box.value = publisher
        }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        box.value?.reset(.deliveryTimeout)
        harness.run()
        #expect(consumer.outcomes == [.reset(.deliveryTimeout)])
        #expect(delegate.ends == [.reset])
        harness.expectNothingLive()
    }

    @Test("A response that is given up before anything of it left ends, too", arguments: Variant.all)
    func resetAtOnce(variant: Variant) {
        let harness = Harness.established(variant)
        harness.serveFetches { $0.reset(.unknownObjectStatus) }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        if !variant.profile.hasOwnStream(.fetch) {
            #expect(consumer.responses.first?.failure == nil)
            // The stream never said which fetch it belongs to, and nothing else does.
            #expect(consumer.outcomes.isEmpty)
            harness.run(.seconds(30))
            #expect(consumer.outcomes == [.reset(.deliveryTimeout)])
        } else {
            // The answer was given up with its stream.
            #expect(consumer.responses.map { $0.failure?.code } == [.cancelledByPeer])
            #expect(consumer.outcomes.isEmpty)
        }
        harness.expectNothingLive()
    }

    @Test("A stream that stays away is waited for, but not forever", arguments: DraftProfile.all)
    func streamStaysAway(profile: DraftProfile) throws {
        let harness = try RawHarness.established(profile, peer: .server)
        let consumer = CollectingFetch()
        let receiver = harness.session.fetch(
            FetchRequest(track: Harness.track, from: Location(group: 0, object: 0), through: .group(1)),
            consumer: consumer
        ) { consumer.responses.append($0) }
        harness.run()
        try harness.peer.reply(.fetchOk(FetchOk(requestID: receiver.requestID, endOfTrack: false, end: .group(1))))
        harness.run(.seconds(29))
        #expect(receiver.state == .active)
        harness.run(.seconds(2))
        #expect(consumer.outcomes == [.reset(.deliveryTimeout)])
        #expect(harness.session.counters.liveRequests == 0)
        #expect(harness.session.isOpen)
    }

    @Test("A consumer that pauses stops the publisher, and gets everything in the end", arguments: Variant.all)
    func backPressure(variant: Variant) throws {
        let harness = Harness.established(variant)
        let payload = pattern(50_000)
        let total: UInt64 = 200
        var next: UInt64 = 0
        let write = { (publisher: FetchPublisher) in
            while next < total, !publisher.isAboveHighWatermark {
                publisher.send(0, next, payload)
                next += 1
            }
            if next == total, !publisher.isEnded {
                publisher.finish()
            }
        }
        let delegate = RecordingFetchDelegate()
        delegate.onDrain = write
        harness.serveFetches(delegate: delegate, write)
        let consumer = CollectingFetch()
        let receiver = harness.fetch(consumer)
        consumer.onObject = { [unowned consumer] in
            if consumer.events.count == 1 {
                receiver.pause()
            }
        }
        harness.run(.seconds(20))
        #expect(consumer.events.count <= 2)
        let reached = next
        #expect(reached < total / 2, "the window is closed")
        harness.run(.seconds(20))
        #expect(next == reached)
        receiver.resume()
        harness.run(.seconds(20))
        #expect(next == total)
        #expect(delegate.drains > 0)
        #expect(consumer.locations == (0..<total).map { Location(group: 0, object: $0) })
        #expect(
            consumer.events.allSatisfy { event in
                if case .object(_, let bytes) = event { bytes == payload } else { false }
            }
        )
        #expect(consumer.outcomes == [.complete])
        harness.expectNothingLive()
    }

    @Test("A pause holds the last objects back, too", arguments: Variant.all)
    func pauseAtEnd(variant: Variant) {
        let harness = Harness.established(variant)
        harness.serveFetches { publisher in
            for object in UInt64(0)..<5 {
                publisher.send(0, object)
            }
            publisher.finish()
        }
        let consumer = CollectingFetch()
        let receiver = harness.fetch(consumer)
        consumer.onObject = { receiver.pause() }
        for count in 1...5 {
            harness.run()
            #expect(consumer.locations.count == count)
            #expect(consumer.outcomes.isEmpty)
            receiver.resume()
        }
        harness.run()
        #expect(consumer.outcomes == [.complete])
        harness.expectNothingLive()
    }

    @Test("A publisher that writes regardless is cut off", arguments: Variant.all)
    func tooFarBehind(variant: Variant) throws {
        let harness = Harness.established(variant)
        let delegate = RecordingFetchDelegate()
        let payload = pattern(1 << 20)
        let box = Box<FetchPublisher>()
        harness.serveFetches(delegate: delegate) { box.value = $0 }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        let publisher = try #require(box.value)
        for object in UInt64(0)..<200 where !publisher.isEnded {
            publisher.send(0, object, payload)
        }
        #expect(publisher.isEnded)
        #expect(publisher.queuedByteCount == 0)
        harness.run(.seconds(10))
        #expect(delegate.ends == [.tooFarBehind])
        #expect(harness.publisher.counters.subscribersTooFarBehind == 1)
        #expect(consumer.outcomes.count == 1)
        #expect(consumer.outcomes.first?.resetCode != nil)
        harness.expectNothingLive()
    }

    @Test("A publisher that is used wrongly resets its response", arguments: Variant.all, [0, 1, 2, 3])
    func misuse(variant: Variant, mistake: Int) throws {
        let harness = Harness.established(variant)
        let delegate = RecordingFetchDelegate()
        let box = Box<FetchPublisher>()
        harness.serveFetches(delegate: delegate) { publisher in
            publisher.send(1, 1)
            box.value = publisher
        }
        let consumer = CollectingFetch()
        harness.fetch(consumer)
        harness.run()
        let publisher = try #require(box.value)
        switch mistake {
        case 0: publisher.send(1, 1)
        case 1: publisher.send(0, 5)
        case 2:
            publisher.beginObject(.plain(1, 2))
            publisher.finish()
        default:
            publisher.beginObject(.plain(1, 2))
            publisher.receive(payload: Bytes([1, 2, 3, 4]))
        }
        #expect(publisher.isEnded)
        harness.run()
        #expect(delegate.ends == [.reset])
        #expect(consumer.outcomes == [.reset(.internalError)])
        harness.expectNothingLive()
    }

    @Test("What lies outside the range is dropped and counted", arguments: Variant.all)
    func outside(variant: Variant) {
        let harness = Harness.established(variant)
        harness.serveFetches { publisher in
            for object in UInt64(0)..<6 {
                publisher.send(1, object)
            }
            publisher.finish()
        }
        let consumer = CollectingFetch()
        harness.fetch(
            from: Location(group: 1, object: 2),
            through: .object(Location(group: 1, object: 4)),
            consumer
        )
        harness.run()
        #expect(consumer.locations.map(\.object) == [2, 3, 4])
        #expect(harness.publisher.counters.objectsFiltered == 3)
        #expect(consumer.outcomes == [.complete])
    }

    @Test("Closing the session ends fetches in every state, each once", arguments: Variant.all)
    func sessionCloses(variant: Variant) {
        let harness = Harness.established(variant)
        let delegate = RecordingFetchDelegate()
        harness.serveFetches(delegate: delegate) { $0.send(0, 0) }
        let active = CollectingFetch()
        harness.fetch(active)
        harness.run()
        harness.publisherHandler.onFetch = nil
        let pending = CollectingFetch()
        harness.fetch(pending)
        harness.run()
        var cancels = 0
        harness.publisherHandler.fetches.first?.onCancelled = { cancels += 1 }
        harness.publisher.close(.internalError, reason: "gone")
        harness.run()
        #expect(active.outcomes == [.sessionClosed])
        #expect(pending.responses.map { $0.failure?.code } == [.sessionClosed])
        #expect(pending.outcomes.isEmpty)
        #expect(cancels == 1)
        #expect(delegate.ends.count == 1)
        harness.expectNothingLive()
    }
}
