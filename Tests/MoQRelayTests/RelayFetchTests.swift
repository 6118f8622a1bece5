// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Fetching through a relay", .timeLimit(.minutes(2)))
struct RelayFetchTests {
    @Test("What was forwarded is fetched from memory, without the publisher", arguments: DraftPair.all)
    func fromMemory(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        for group in UInt64(3)...5 {
            try scene.send(group: group, count: 3)
        }
        let fetched = scene.late.fetch("live", from: Location(group: 3, object: 1), through: .group(5))
        scene.world.settle()
        let answer = try #require(fetched.answer)
        #expect(answer.end == .object(Location(group: 5, object: 2)))
        #expect(!answer.endOfTrack)
        let expected = locations([(3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (5, 0), (5, 1), (5, 2)])
        #expect(
            fetched.events
                == expected.map {
                    .object(
                        $0,
                        subgroup: 0,
                        priority: 9,
                        payload: [UInt8](repeating: UInt8($0.object), count: 32)
                    )
                }
        )
        #expect(fetched.outcomes == [.complete])
        #expect(scene.publisher.fetches.isEmpty)
        #expect(scene.world.relay.counters.cacheHits == 8)
        #expect(scene.world.relay.counters.cacheMisses == 0)
        scene.world.closeAll()
    }

    @Test("Descending groups come from memory, too", arguments: DraftPair.all)
    func descending(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        for group in UInt64(3)...5 {
            try scene.send(group: group, count: 2)
        }
        let fetched = scene.late.fetch(
            "live",
            from: Location(group: 3, object: 1),
            through: .object(Location(group: 5, object: 0)),
            parameters: FetchParameters(groupOrder: .descending)
        )
        scene.world.settle()
        #expect(fetched.locations == locations([(5, 0), (4, 0), (4, 1), (3, 1)]))
        #expect(fetched.outcomes == [.complete])
        #expect(scene.publisher.fetches.isEmpty)
        scene.world.closeAll()
    }

    @Test("What is not known is asked of the publisher, exactly that", arguments: DraftPair.all)
    func completed(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        // Nobody says that group 3 ends with object 1, nor what there was before it.
        try scene.track().send(group: 3, count: 2)
        try scene.send(group: 4, count: 2)
        scene.publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 4, object: 1))
            if request.start == Location(group: 2, object: 0) {
                publisher.send(2, 7)
            }
            publisher.finish()
        }
        let fetched = scene.late.fetch("live", from: Location(group: 2, object: 0), through: .group(4))
        scene.world.settle()
        #expect(fetched.locations == locations([(2, 7), (3, 0), (3, 1), (4, 0), (4, 1)]))
        #expect(fetched.gaps.isEmpty)
        #expect(fetched.outcomes == [.complete])
        #expect(scene.publisher.fetches.map(\.start) == locations([(2, 0), (3, 2)]))
        #expect(scene.publisher.fetches.map(\.end) == [.group(2), .group(3)])
        #expect(scene.world.relay.counters.cacheMisses == 2)
        // Now it is known that there is nothing, and what there is.
        let again = scene.viewer.fetch("live", from: Location(group: 2, object: 0), through: .group(4))
        scene.world.settle()
        #expect(again.events == fetched.events)
        #expect(scene.publisher.fetches.count == 2)
        scene.world.closeAll()
    }

    @Test(
        "What the publisher does not tell is reported as unknown, and the rest is served",
        arguments: DraftPair.tellingGaps
    )
    func unknown(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        try scene.track().send(group: 3, count: 2)
        try scene.send(group: 4, count: 1)
        let fetched = scene.late.fetch("live", from: Location(group: 2, object: 5), through: .group(4))
        scene.world.settle()
        #expect(scene.publisher.fetches.count == 1, "who refused once is not asked again")
        #expect(fetched.locations == locations([(3, 0), (3, 1), (4, 0)]))
        #expect(
            fetched.gaps == [
                .gap(.unknown, Location(group: 2, object: 1 << 62 - 1)),
                .gap(.unknown, Location(group: 3, object: 1 << 62 - 1)),
            ]
        )
        #expect(fetched.outcomes == [.complete])
        #expect(scene.world.relay.counters.fetchGapsUnknown == 2)
        scene.world.closeAll()
    }

    @Test(
        "A track that nobody subscribes to is passed through, and remembered",
        arguments: DraftPair.all.filter { !$0.hasDraft14 }
    )
    func passedThrough(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.defaultPublisherPriority, integer: 7))
        ])
        publisher.onFetch = { request in
            let publisher = request.accept(
                largest: Location(group: 2, object: 3),
                isTrackComplete: true,
                properties: properties
            )
            publisher.send(0, 0)
            publisher.endRange(.unknown, through: Location(group: 1, object: 0))
            publisher.endRange(.nonExistent, through: Location(group: 2, object: 1))
            publisher.send(2, 2, size: 100_000)
            publisher.send(2, 3)
            publisher.finish()
        }
        let client = world.connect(drafts.subscriber)
        let fetched = client.fetch("films", through: .group(9))
        world.settle()
        let answer = try #require(fetched.answer)
        #expect(answer.end == .object(Location(group: 2, object: 3)))
        #expect(answer.endOfTrack)
        #expect(answer.properties.defaultPublisherPriority == 7)
        #expect(fetched.locations == locations([(0, 0), (2, 2), (2, 3)]))
        #expect(
            fetched.gaps == [
                .gap(.unknown, Location(group: 1, object: 0)), .gap(.nonExistent, Location(group: 2, object: 1)),
            ]
        )
        #expect(fetched.outcomes == [.complete])
        let again = client.fetch(
            "films",
            from: Location(group: 2, object: 0),
            through: .object(Location(group: 2, object: 3))
        )
        world.settle()
        #expect(again.locations == locations([(2, 2), (2, 3)]))
        #expect(publisher.fetches.count == 1)
        world.closeAll()
    }

    @Test("Many fetches of the same make one of the relay", arguments: DraftPair.all)
    func coalesced(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        var requests: [IncomingFetch] = []
        publisher.onFetch = { requests.append($0) }
        let clients = (0..<5).map { _ in world.connect(drafts.subscriber) }
        let fetches = clients.map { $0.fetch("films", through: .group(4)) }
        world.settle()
        #expect(requests.count == 1)
        let source = try #require(requests.first).accept(largest: Location(group: 4, object: 1))
        for group in UInt64(0)..<4 {
            source.send(group, 0)
        }
        world.settle()
        // One that comes amid the objects reads along, and gets those that have passed from memory.
        let latecomer = clients[0].fetch("films", from: Location(group: 1, object: 0), through: .group(4))
        world.settle()
        source.send(4, 0)
        source.send(4, 1)
        source.finish()
        world.settle()
        let all = locations([(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1)])
        for fetched in fetches {
            #expect(fetched.locations == all)
            #expect(fetched.outcomes == [.complete])
        }
        #expect(latecomer.locations == Array(all.dropFirst()))
        #expect(latecomer.outcomes == [.complete])
        #expect(requests.count == 1)
        #expect(world.relay.counters.upstreamFetches == 1)
        world.closeAll()
    }

    @Test("Descending groups that are not known are passed through", arguments: DraftPair.all)
    func descendingThrough(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 3, object: 1))
            for (group, object) in [(3, 0), (3, 1), (1, 5), (0, 0), (0, 1)] as [(UInt64, UInt64)] {
                publisher.send(group, object)
            }
            publisher.finish()
        }
        let parameters = FetchParameters(groupOrder: .descending)
        let fetched = world.connect(drafts.subscriber).fetch("films", through: .group(5), parameters: parameters)
        world.settle()
        #expect(publisher.fetches.map(\.order) == [.descending])
        #expect(fetched.locations == locations([(3, 0), (3, 1), (1, 5), (0, 0), (0, 1)]))
        #expect(fetched.outcomes == [.complete])
        world.closeAll()
    }

    @Test("Refusals pass, and what nobody publishes does not exist", arguments: DraftPair.all)
    func refusals(_ drafts: DraftPair) {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        let client = world.connect(drafts.subscriber)
        publisher.onFetch = { _ = $0.accept(largest: nil) }
        let empty = client.fetch("films", through: .group(4))
        world.settle()
        publisher.onFetch = { $0.reject(.unauthorized) }
        let forbidden = client.fetch("films", through: .group(4))
        let nowhere = client.fetch("books", through: .group(4))
        let reserved = client.fetch(".", through: .group(4))
        world.settle()
        #expect(empty.refusal == .invalidRange)
        #expect(forbidden.refusal == .unauthorized)
        #expect(nowhere.refusal == .doesNotExist)
        #expect(reserved.refusal == .doesNotExist)
        world.closeAll()
    }

    @Test("A late joiner gets everything from the group it asked for on, once and in order", arguments: DraftPair.all)
    func seam(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        let track = try scene.track()
        var sent: [Location] = []
        var stream: (any SubgroupConsumer)?
        // One object every millisecond, ten in a group; the joiner comes in the middle.
        var joined: (live: Subscribed, past: Fetched)?
        for number in UInt64(0)..<1_000 {
            let location = Location(group: number / 10, object: number % 10)
            if location.object == 0 {
                stream = track.open(group: location.group, containsEndOfGroup: true)
            }
            stream?.send(object: location.object, size: 2_000)
            if location.object == 9 {
                stream?.finish()
            }
            sent.append(location)
            scene.world.advance(.milliseconds(1))
            if number == 505 {
                let live = scene.late.subscribe("live", filter: .nextObject)
                let past = Fetched()
                past.receiver = live.subscription?.fetch(from: .groupsBack(3), consumer: past) {
                    past.results.append($0)
                }
                joined = (live, past)
            }
        }
        scene.world.settle()
        let (live, past) = try #require(joined)
        #expect(past.outcomes == [.complete])
        #expect(past.gaps.isEmpty)
        let start = try #require(past.locations.first)
        #expect(start.object == 0)
        #expect(past.locations.last == live.answer?.largestObject)
        let received = past.locations + live.consumer.locations.sorted()
        #expect(received == sent.filter { $0 >= start })
        #expect(scene.publisher.fetches.isEmpty)
        scene.world.closeAll()
    }

    @Test("A slow reader holds the publisher back, but not the other readers", arguments: DraftPair.all)
    func slowReader(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        let total: UInt64 = 400
        var next: UInt64 = 0
        let pump = FetchPump { publisher in
            while next < total, !publisher.isAboveHighWatermark {
                publisher.send(next / 10, next % 10, size: 50_000)
                next += 1
            }
            if next == total, !publisher.isEnded {
                publisher.finish()
            }
        }
        publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 39, object: 9))
            publisher.delegate = pump
            pump.write(publisher)
        }
        let slow = world.connect(drafts.subscriber).fetch("films", through: .group(39))
        slow.receiver?.pause()
        world.advance(.seconds(5))
        let reached = next
        #expect(reached < total / 2, "the only reader does not read, so the publisher waits")
        #expect(slow.outcomes.isEmpty)
        let quick = world.connect(drafts.subscriber).fetch("films", through: .group(39))
        world.advance(.seconds(20))
        #expect(next == total)
        #expect(quick.locations.count == Int(total))
        #expect(quick.outcomes == [.complete])
        slow.receiver?.resume()
        world.advance(.seconds(20))
        #expect(slow.locations == (0..<total).map { Location(group: $0 / 10, object: $0 % 10) })
        #expect(slow.gaps.isEmpty)
        #expect(slow.outcomes == [.complete])
        #expect(publisher.fetches.count == 1)
        world.closeAll()
    }

    @Test("Who cancels takes the relay's fetch along, the last one", arguments: DraftPair.all)
    func cancelled(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        let pump = FetchPump { _ in }
        publisher.onFetch = { request in
            let publisher = request.accept(largest: Location(group: 3, object: 0))
            publisher.delegate = pump
            publisher.send(0, 0)
        }
        let first = world.connect(drafts.subscriber).fetch("films", through: .group(3))
        let other = world.connect(drafts.subscriber)
        let second = other.fetch("films", through: .group(3))
        world.settle()
        #expect(world.live.fetches == 2)
        #expect(world.live.upstreamFetches == 1)
        first.receiver?.cancel()
        world.settle()
        #expect(pump.ends.isEmpty)
        #expect(world.live.fetches == 1)
        world.disconnect(other)
        #expect(pump.ends == [.cancelledByPeer])
        #expect(world.live.fetches == 0)
        #expect(world.live.upstreamFetches == 0)
        #expect(second.locations.count == 1)
        world.closeAll()
    }

    @Test("A publisher that goes away leaves a gap, and nothing to fetch afterwards", arguments: DraftPair.tellingGaps)
    func publisherGone(_ drafts: DraftPair) throws {
        let world = RelayWorld()
        let publisher = world.connect(drafts.publisher)
        _ = publisher.announce("films")
        world.settle()
        publisher.onFetch = { $0.accept(largest: Location(group: 3, object: 0)).send(0, 0) }
        let client = world.connect(drafts.subscriber)
        let fetched = client.fetch("films", through: .object(Location(group: 3, object: 0)))
        world.settle()
        world.disconnect(publisher)
        world.settle()
        #expect(fetched.locations.count == 1)
        #expect(fetched.gaps == [.gap(.unknown, Location(group: 3, object: 0))])
        #expect(fetched.outcomes == [.complete])
        let late = client.fetch("films", through: .object(Location(group: 0, object: 0)))
        world.settle()
        #expect(late.refusal == .doesNotExist)
        #expect(world.relay.counters.cachedBytes == 0)
        world.closeAll()
    }

    @Test("A publisher that keeps silent is waited for, but not forever", arguments: DraftPair.tellingGaps)
    func silent(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        try scene.track().send(group: 3, count: 1)
        try scene.send(group: 4, count: 1)
        var kept: [IncomingFetch] = []
        scene.publisher.onFetch = { kept.append($0) }
        let range = (from: Location(group: 3, object: 0), through: FetchEnd.group(4))
        let patient = scene.late.fetch("live", from: range.from, through: range.through)
        scene.world.advance(.seconds(9))
        #expect(patient.locations.count == 1)
        #expect(patient.outcomes.isEmpty)
        scene.world.advance(.seconds(2))
        #expect(patient.locations == locations([(3, 0), (4, 0)]))
        #expect(patient.gaps.count == 1)
        #expect(patient.outcomes == [.complete])
        // A track about which nothing is known.
        let unheard = scene.late.fetch("live", "other", through: .group(1))
        scene.world.advance(.seconds(11))
        #expect(unheard.refusal == .timeout)
        scene.world.closeAll()
    }

    @Test("FILL_TIMEOUT says how long", arguments: DraftProfile.all)
    func fillTimeout(publisher: DraftProfile) throws {
        let scene = FetchScene(DraftPair(publisher: publisher, subscriber: .draft18))
        try scene.track().send(group: 3, count: 1)
        try scene.send(group: 4, count: 1)
        var kept: [IncomingFetch] = []
        scene.publisher.onFetch = { kept.append($0) }
        for (timeout, isAsked) in [(UInt64(0), false), (2_000, true)] {
            kept = []
            let fetched = scene.late.fetch(
                "live",
                from: Location(group: 3, object: 0),
                through: .group(4),
                parameters: FetchParameters(fillTimeout: timeout)
            )
            scene.world.settle()
            #expect(kept.isEmpty != isAsked)
            scene.world.advance(.milliseconds(1_500))
            #expect(fetched.outcomes.isEmpty == isAsked)
            scene.world.advance(.seconds(1))
            #expect(fetched.locations.count == 2)
            #expect(fetched.gaps.count == 1)
            #expect(fetched.outcomes == [.complete])
        }
        scene.world.closeAll()
    }

    @Test("Fetches of one session are limited")
    func limit() {
        let world = RelayWorld(MoQRelayConfiguration(maximumFetchesPerSession: 2))
        let publisher = world.connect(.draft18)
        _ = publisher.announce("films")
        world.settle()
        var kept: [IncomingFetch] = []
        publisher.onFetch = { kept.append($0) }
        let client = world.connect(.draft18)
        let fetches = (UInt64(0)..<3).map { client.fetch("films", through: .group($0)) }
        world.settle()
        #expect(fetches.map(\.refusal) == [nil, nil, .excessiveLoad])
        #expect(world.relay.counters.requestsOverLimit == 1)
        world.closeAll()
    }

    @Test("The state of a track is that of its forwarding, or what the publisher says", arguments: DraftPair.all)
    func trackStatus(_ drafts: DraftPair) throws {
        let scene = FetchScene(drafts)
        try scene.send(group: 2, count: 3)
        var asked = 0
        scene.publisher.onTrackStatus = { request in
            asked += 1
            if request.track.name == Array("other".utf8) {
                request.accept(largest: Location(group: 8, object: 8))
            } else {
                request.reject(.unauthorized)
            }
        }
        var results: [String: Result<RequestOk, MoQError>] = [:]
        for (path, name) in [("live", "track"), ("live", "other"), ("live", "secret"), ("books", "x")] {
            let track = FullTrackName(namespace: TrackNamespace(path: path), name: name)
            scene.late.session.trackStatus(of: track) { results[name] = $0 }
        }
        scene.world.settle()
        #expect(try results["track"]?.get().largestObject == Location(group: 2, object: 2))
        #expect(try results["other"]?.get().largestObject == Location(group: 8, object: 8))
        #expect(throws: MoQError.self) { try results["secret"]?.get() }
        #expect(throws: MoQError.self) { try results["x"]?.get() }
        #expect(asked == 2)
        scene.world.closeAll()
    }

    @Test("SUBSCRIBE_TRACKS brings the tracks of others, and not one's own", arguments: DraftProfile.all)
    func subscribeTracks(publisher draft: DraftProfile) {
        let world = RelayWorld()
        let publisher = world.connect(draft)
        let client = world.connect(.draft18)
        var successes = 0
        client.session.subscribeTracks(
            TrackNamespace(path: "live"),
            events: { _ in },
            response: { if case .success = $0 { successes += 1 } }
        )
        // Another kind of request, so its prefix may be the same.
        let followed = client.follow("live")
        world.settle()
        let own = client.publish("live/own")
        let other = publisher.publish("live/other")
        world.settle()
        #expect(successes == 1)
        #expect(followed.isAccepted)
        #expect(own.results.count == 1 && other.results.count == 1)
        #expect(client.publishes.map(\.track.namespace) == [TrackNamespace(path: "live/other")])
        world.closeAll()
    }
}
