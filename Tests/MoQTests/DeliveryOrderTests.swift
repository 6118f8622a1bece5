// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// Draft-18 §7.2, "Scheduling Algorithm".
@Suite("What is sent first", .timeLimit(.minutes(2)))
struct DeliveryOrderTests {
    /// Subscriptions over a link so slow that what is sent first arrives first.
    private final class Scene {
        let harness: Harness
        var subscriptions: [Subscription] = []
        var publishers: [TrackPublisher] = []
        var consumers: [CollectingConsumer] = []
        /// "track/group/subgroup" of what was complete, in order.
        var finished: [String] = []
        /// Called when something was complete.
        var onFinish: ((Scene) -> Void)?

        init(_ profile: DraftProfile = .draft18, packetSize: Int = 1_200) {
            var link = InMemoryLinkConfiguration()
            link.packetSize = packetSize
            link.bytesPerSecond = 1_000_000
            link.congestionWindow = 20_000
            self.harness = Harness.established(Variant(profile: profile, subscriber: .client), link: link)
            self.harness.publisherHandler.onSubscribe = { [unowned self] in self.publishers.append($0.accept()) }
        }

        /// Subscribes to one more track, which is called by its number.
        @discardableResult
        func subscribe(_ parameters: SubscriptionParameters = SubscriptionParameters()) throws -> TrackPublisher {
            let name = "\(self.publishers.count)"
            let consumer = CollectingConsumer()
            self.consumers.append(consumer)
            consumer.onSubgroupEnd = { [unowned self, unowned consumer] in
                for subgroup in consumer.subgroups where subgroup.ends == [.finished] {
                    let what = "\(name)/\(subgroup.description.group)/\(subgroup.description.subgroup)"
                    if !self.finished.contains(what) {
                        self.finished.append(what)
                        self.onFinish?(self)
                    }
                }
            }
            self.subscriptions.append(
                self.harness.subscriber.subscribe(
                    SubscribeRequest(
                        track: FullTrackName(namespace: Harness.track.namespace, name: name),
                        parameters: parameters
                    ),
                    consumer: consumer
                ) { _ in }
            )
            self.harness.run()
            return try #require(self.publishers.last)
        }

        func publish(
            _ publisher: TrackPublisher,
            group: UInt64 = 0,
            subgroup: UInt64 = 0,
            priority: UInt8 = 128,
            size: Int = 30_000
        ) throws {
            let description = SubgroupDescription(group: group, subgroup: subgroup, publisherPriority: priority)
            let stream = try #require(publisher.beginSubgroup(description))
            // An object belongs to one subgroup.
            stream.send(subgroup, pattern(size))
            stream.finish()
        }

        /// How many bytes came of a track.
        func received(_ track: Int) -> Int {
            self.consumers[track].contents.reduce(0) { $0 + $1.payload.count }
        }

        func finish() {
            self.harness.run(.seconds(20))
            for publisher in self.publishers {
                publisher.end()
            }
            // Longer than datagrams are waited for.
            self.harness.run(.milliseconds(200))
            self.harness.expectNothingLive()
        }
    }

    /// Publishes datagrams, in this order, which all have to wait; returns them in the order in which they came, each as
    /// "track/group/object".
    private func datagrams(
        _ scene: Scene,
        _ all: [(track: Int, group: UInt64, object: UInt64, priority: UInt8)]
    ) -> [String] {
        var came: [String] = []
        for (name, consumer) in scene.consumers.enumerated() {
            consumer.onDatagram = { [unowned consumer] in
                if let header = consumer.datagrams.last?.header {
                    came.append("\(name)/\(header.groupID)/\(header.objectID)")
                }
            }
        }
        for one in all {
            scene.publishers[one.track].receive(
                ObjectDatagram(
                    trackAlias: TrackAlias(0),
                    groupID: one.group,
                    objectID: one.object,
                    publisherPriority: one.priority
                ),
                payload: Bytes(pattern(900))
            )
        }
        scene.harness.run(.milliseconds(900))
        for consumer in scene.consumers {
            consumer.onDatagram = nil
        }
        scene.finish()
        return came
    }

    @Test("Requests are answered before datagrams that wait", arguments: DraftProfile.all)
    func requestsFirst(profile: DraftProfile) throws {
        // Datagrams fill their packets: nothing gets through beside them.
        let scene = Scene(profile, packetSize: 1_120)
        let publisher = try scene.subscribe()
        for object in 0..<200 {
            let datagram = ObjectDatagram(
                trackAlias: TrackAlias(0),
                groupID: 0,
                objectID: UInt64(object),
                publisherPriority: 1
            )
            publisher.receive(datagram, payload: Bytes(pattern(1_090)))
        }
        // A fifth of a second is in front of it, where it has to wait its turn.
        try scene.subscribe()
        #expect(scene.subscriptions[1].state == .active)
        #expect(scene.consumers[0].datagrams.count < 100)
        scene.finish()
        #expect(scene.consumers[0].datagrams.count == 200)
    }

    @Test("Datagrams that wait go by the subscriber's priority, then by the publisher's", arguments: DraftProfile.all)
    func datagramPriorities(profile: DraftProfile) throws {
        let scene = Scene(profile)
        for priority in [UInt8(11), 10, 12] {
            try scene.subscribe(SubscriptionParameters(subscriberPriority: priority))
        }
        let came = self.datagrams(
            scene,
            [
                (0, 0, 0, 9), (0, 0, 1, 8), (1, 0, 0, 200), (2, 0, 0, 1), (1, 0, 1, 100), (0, 0, 2, 8), (2, 0, 1, 0),
            ]
        )
        #expect(came == ["1/0/1", "1/0/0", "0/0/1", "0/0/2", "0/0/0", "2/0/1", "2/0/0"])
    }

    @Test(
        "Within a request datagrams that wait go by group and object, and requests take turns",
        arguments: DraftProfile.all,
        [GroupOrder.ascending, .descending]
    )
    func datagramGroups(profile: DraftProfile, order: GroupOrder) throws {
        let scene = Scene(profile)
        for _ in 0..<2 {
            try scene.subscribe(SubscriptionParameters(groupOrder: order))
        }
        let came = self.datagrams(
            scene,
            [(0, 2, 1, 5), (1, 7, 0, 5), (0, 1, 0, 5), (0, 2, 0, 5), (1, 6, 0, 5), (0, 3, 0, 5)]
        )
        let ascending = ["0/1/0", "1/6/0", "0/2/0", "0/2/1", "1/7/0", "0/3/0"]
        let descending = ["0/3/0", "1/7/0", "0/2/0", "0/2/1", "1/6/0", "0/1/0"]
        #expect(came == (order == .ascending ? ascending : descending))
    }

    @Test("Each of the publisher's priorities goes before the next one", arguments: DraftProfile.all)
    func publisherPriorities(profile: DraftProfile) throws {
        let scene = Scene(profile)
        let publisher = try scene.subscribe()
        for (group, priority) in [(UInt64(0), UInt8(130)), (1, 129), (2, 127), (3, 128)] {
            try scene.publish(publisher, group: group, priority: priority)
        }
        scene.finish()
        #expect(scene.finished == ["0/2/0", "0/3/0", "0/1/0", "0/0/0"])
    }

    @Test("Each of the subscriber's priorities goes before the next one, and may change", arguments: DraftProfile.all)
    func subscriberPriorities(profile: DraftProfile) throws {
        let scene = Scene(profile)
        for priority in [UInt8(11), 10, 12] {
            // In absolute numbers, so that an update of draft 14 can repeat it.
            let start = SubscriptionFilter.absoluteStart(Location(group: 0, object: 0))
            try scene.subscribe(SubscriptionParameters(subscriberPriority: priority, filter: start))
        }
        for publisher in scene.publishers {
            try scene.publish(publisher, priority: 250, size: 100_000)
            try scene.publish(publisher, group: 1, priority: 2, size: 100_000)
        }
        // When it arrives, what was first has not been sent.
        scene.subscriptions[2].update(priority: 9)
        scene.finish()
        #expect(scene.finished == ["2/1/0", "2/0/0", "1/1/0", "1/0/0", "0/1/0", "0/0/0"])
    }

    @Test("Within a group the lowest subgroup goes first, whenever it began")
    func subgroups() throws {
        let scene = Scene()
        let publisher = try scene.subscribe()
        for subgroup in [UInt64(5), 3, 9, 1] {
            try scene.publish(publisher, group: 7, subgroup: subgroup)
        }
        try scene.publish(publisher, group: 6, subgroup: 20)
        scene.finish()
        #expect(scene.finished == ["0/6/20", "0/7/1", "0/7/3", "0/7/5", "0/7/9"])
    }

    @Test("More groups than the transport has levels go in order, too", arguments: [GroupOrder.ascending, .descending])
    func manyGroups(order: GroupOrder) throws {
        let scene = Scene()
        let publisher = try scene.subscribe(SubscriptionParameters(groupOrder: order))
        for group in 0..<40 as Range<UInt64> {
            try scene.publish(publisher, group: group, size: 6_000)
        }
        scene.finish()
        let expected = (0..<40).map { "0/\($0)/0" }
        #expect(scene.finished == (order == .ascending ? expected : expected.reversed()))
    }

    @Test("All priorities at once go in order, and leave nothing behind")
    func allPriorities() throws {
        let scene = Scene()
        let publisher = try scene.subscribe()
        for priority in (0..<100 as Range<UInt8>).reversed() {
            try scene.publish(publisher, group: UInt64(priority), priority: priority, size: 3_000)
        }
        scene.harness.run(.seconds(20))
        #expect(scene.finished == (0..<100).map { "0/\($0)/0" })
        // What comes later has all levels for itself again.
        for subgroup in [UInt64(3), 2, 1] {
            try scene.publish(publisher, group: 200, subgroup: subgroup, priority: 200)
        }
        scene.finish()
        #expect(scene.finished.suffix(3) == ["0/200/1", "0/200/2", "0/200/3"])
    }

    @Test("Subscriptions of the same priorities share, whichever began first")
    func sharing() throws {
        let scene = Scene()
        for _ in 0..<3 {
            try scene.subscribe()
        }
        for (index, publisher) in scene.publishers.enumerated() {
            try scene.publish(publisher, group: UInt64(index), size: 100_000)
            try scene.publish(publisher, group: UInt64(index) + 10, size: 20_000)
        }
        var atFirst: [Int] = []
        scene.onFinish = { scene in
            if scene.finished.count == 1 {
                atFirst = (0..<3).map { scene.received($0) }
            }
        }
        scene.finish()
        #expect(scene.finished.count == 6)
        #expect(atFirst.count == 3 && atFirst.allSatisfy { $0 > 60_000 }, "\(atFirst)")
    }

    @Test("A fetch can be sped up while it is under way", arguments: DraftProfile.all)
    func fetchUpdate(profile: DraftProfile) throws {
        let scene = Scene(profile)
        let publisher = try scene.subscribe()
        scene.harness.publisherHandler.onFetch = { request in
            let response = request.accept(largest: Location(group: 0, object: 0))
            response.send(FetchObjectHeader.plain(0, 0, count: 100_000), pattern(100_000))
            response.finish()
        }
        let fetched = CollectingFetch()
        fetched.onEnd = { scene.finished.append("fetch") }
        let receiver = scene.harness.subscriber.fetch(
            FetchRequest(
                track: Harness.track,
                from: Location(group: 0, object: 0),
                through: .group(0),
                parameters: FetchParameters(subscriberPriority: 200)
            ),
            consumer: fetched
        ) { fetched.responses.append($0) }
        var answers: [MoQError.Code?] = []
        receiver.update(priority: 1) { answers.append($0.failure?.code) }
        #expect(answers == [.invalidState])
        scene.harness.run(.milliseconds(30))
        try scene.publish(publisher, size: 200_000)
        receiver.update(priority: 1) { answers.append($0.failure?.code) }
        scene.finish()
        let isPossible = profile.updatesAreAnswered
        #expect(answers == [.invalidState, isPossible ? nil : .notExpressible])
        #expect(scene.finished == (isPossible ? ["fetch", "0/0/0"] : ["0/0/0", "fetch"]))
    }

    @Test("A fetch has the place of what it brings", arguments: DraftProfile.all)
    func fetch(profile: DraftProfile) throws {
        for (priority, isFirst) in [(UInt8(127), true), (129, false)] {
            let scene = Scene(profile)
            let publisher = try scene.subscribe()
            var pending: IncomingFetch?
            scene.harness.publisherHandler.onFetch = { pending = $0 }
            let fetched = CollectingFetch()
            scene.harness.subscriber.fetch(
                FetchRequest(track: Harness.track, from: Location(group: 0, object: 0), through: .group(0)),
                consumer: fetched
            ) { fetched.responses.append($0) }
            fetched.onEnd = { scene.finished.append("fetch") }
            scene.harness.run()
            try scene.publish(publisher, size: 100_000)
            let response = try #require(pending).accept(largest: Location(group: 0, object: 0))
            var header = FetchObjectHeader.plain(0, 0, count: 100_000)
            header.publisherPriority = priority
            response.send(header, pattern(100_000))
            response.finish()
            scene.finish()
            #expect(scene.finished == (isFirst ? ["fetch", "0/0/0"] : ["0/0/0", "fetch"]))
        }
    }
}
