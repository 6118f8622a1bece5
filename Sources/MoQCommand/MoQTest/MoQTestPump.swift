// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Publishes a moq-test track to one subscriber, from its first object on, as soon as that one wants objects. (loop)
///
/// While the subscriber wants none, or does not keep up, the track stands still: nothing is left out.
final class MoQTestPump {
    /// How many objects are sent at a time before the loop does something else.
    private static let batch = 256
    /// How many streams of one session may be under way: a peer allows only so many, and what finds none is lost.
    private static let maximumStreams = 96
    /// How long to wait before looking again whether there is a stream.
    private static let streamRetryDelay = Duration.milliseconds(2)
    /// How long a subscriber has to learn that it is subscribed before datagrams follow: nobody keeps those that
    /// overtake the answer, since they belong to no track that is known yet.
    private static let datagramHeadStart = Duration.milliseconds(100)

    private let publisher: TrackPublisher
    private let tuple: MoQTestTuple
    private let loop: PacketLoop
    private let didEnd: (MoQTestPump) -> Void
    private var schedule: MoQTestSchedule
    private var upcoming: MoQTestSchedule.Entry?
    private var open: [UInt64: any SubgroupConsumer] = [:]
    private var due: LoopInstant
    private var timer: LoopTimer?
    private var isPumping = false
    private var isOver = false

    /// Prepares to publish what `tuple` describes. `didEnd` is called once, when nothing more will be sent.
    init(
        _ publisher: TrackPublisher,
        tuple: MoQTestTuple,
        loop: PacketLoop,
        didEnd: @escaping (MoQTestPump) -> Void
    ) {
        self.publisher = publisher
        self.tuple = tuple
        self.loop = loop
        self.didEnd = didEnd
        self.schedule = MoQTestSchedule(tuple)
        self.upcoming = self.schedule.next()
        self.due = loop.now.advanced(by: tuple.forwarding == .datagrams ? Self.datagramHeadStart : .zero)
    }

    /// Begins.
    func start() {
        guard !self.publisher.isEnded else {
            self.over()
            return
        }
        self.publisher.delegate = self
        self.pump()
    }

    /// Ends the track before its time: what is open is reset, and the subscriber is told.
    func abort() {
        guard !self.isOver else { return }
        let open = self.open.values
        self.open = [:]
        for subgroup in open {
            subgroup.reset(.cancelled)
        }
        self.publisher.end(.goingAway, reason: "the publisher was stopped")
        self.over()
    }

    /// Sends what is due. What it calls may call it again; that is left to the call that is running.
    private func pump() {
        guard !self.isPumping, !self.isOver, self.timer?.isScheduled != true else { return }
        self.isPumping = true
        defer { self.isPumping = false }
        var count = 0
        while !self.isOver, self.publisher.forward, !self.publisher.isAboveHighWatermark {
            guard let entry = self.upcoming else {
                self.finish()
                return
            }
            let now = self.loop.now
            guard self.due <= now else {
                self.pump(after: now.duration(to: self.due))
                return
            }
            guard self.hasRoom(for: entry) else {
                self.pump(after: Self.streamRetryDelay)
                return
            }
            guard count < Self.batch else {
                self.pump(after: .zero)
                return
            }
            count += 1
            self.upcoming = self.schedule.next()
            self.due = self.due.advanced(by: .milliseconds(Int64(self.tuple.frequency)))
            self.send(entry)
        }
    }

    private func pump(after delay: Duration) {
        self.timer = self.loop.schedule(after: delay) { [weak self] in
            self?.pump()
        }
    }

    private func hasRoom(for entry: MoQTestSchedule.Entry) -> Bool {
        guard let subgroup = entry.subgroup, self.open[subgroup] == nil else {
            return true
        }
        return self.publisher.session.counters.liveStreamsOut < Self.maximumStreams
    }

    private func send(_ entry: MoQTestSchedule.Entry) {
        let status: ObjectStatus = entry.isMarker ? .endOfGroup : .normal
        let properties =
            entry.isMarker
            ? PropertyList()
            : MoQTestContent.properties(for: self.tuple, coding: self.publisher.session.profile.coding)
        guard let subgroup = entry.subgroup else {
            let header = ObjectDatagram(
                trackAlias: self.publisher.trackAlias,
                groupID: entry.location.group,
                objectID: entry.location.object,
                publisherPriority: 128,
                properties: properties,
                status: status
            )
            self.publisher.receive(header, payload: MoQTestContent.block.prefix(entry.size))
            return
        }
        if let consumer = self.open[subgroup] ?? self.begin(subgroup, of: entry.location.group) {
            consumer.beginObject(
                ObjectHeader(
                    objectID: entry.location.object,
                    properties: properties,
                    payloadLength: UInt64(entry.size),
                    status: status
                )
            )
            MoQTestContent.forEachPart(of: entry.size) { consumer.receive(payload: $0) }
        }
        if entry.endsGroup || self.tuple.forwarding == .subgroupPerObject {
            let open = self.open.values
            self.open = [:]
            for consumer in open {
                consumer.finish()
            }
        }
    }

    private func begin(_ subgroup: UInt64, of group: UInt64) -> (any SubgroupConsumer)? {
        let hasProperties = self.tuple.integerExtension != nil || self.tuple.variableExtension != nil
        let description = SubgroupDescription(group: group, subgroup: subgroup, hasProperties: hasProperties)
        let consumer = self.publisher.beginSubgroup(description)
        self.open[subgroup] = consumer
        return consumer
    }

    private func finish() {
        guard self.tuple.forwarding == .datagrams else {
            self.publisher.end()
            return
        }
        // The end would overtake the datagrams that are still queued.
        self.isOver = true
        SessionFlush.wait(for: [self.publisher.session], on: self.loop) {
            self.publisher.end()
        }
    }

    private func over() {
        self.isOver = true
        self.timer?.cancel()
        self.didEnd(self)
    }
}

extension MoQTestPump: TrackPublisherDelegate {
    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        self.pump()
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.pump()
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        self.open = [:]
        self.over()
    }
}
