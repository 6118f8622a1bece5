// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Sends the objects of a load to the subscribers of its track, on schedule or as fast as they are taken. (loop)
///
/// While every subscriber's queue is full, objects wait; they keep the time at which they were due.
final class LoadPump {
    /// How many batches are sent before the loop does something else.
    private static let batchesPerTurn = 8
    /// How many datagrams of a session may wait when nothing but the network sets the pace: with more, the oldest would be
    /// dropped.
    private static let maximumQueuedDatagrams = 192
    /// How long to wait before looking at that queue again.
    private static let datagramRetryDelay = Duration.microseconds(100)

    /// One subscription.
    private final class Outlet {
        let publisher: TrackPublisher
        /// The open subgroups of the group that is being sent.
        var lanes: [(any SubgroupConsumer)?]

        init(_ publisher: TrackPublisher, lanes: Int) {
            self.publisher = publisher
            self.lanes = Array(repeating: nil, count: lanes)
        }

        var wantsObjects: Bool { self.publisher.forward && !self.publisher.isAboveHighWatermark }
    }

    private enum State {
        case waiting
        case running(LoadSchedule)
        case over
    }

    private let loop: PacketLoop
    private let plan: LoadPlan
    private let payloads: LoadPayloads
    private var state = State.waiting
    private var outlets: [Outlet] = []
    private var sequence: UInt64 = 0
    private var timer: LoopTimer?
    private var isPumping = false

    /// How many objects were sent, and how many of them are measured.
    private(set) var sent: (total: UInt64, measured: UInt64) = (0, 0)
    /// How late those that are measured were handed over.
    private(set) var lag = LatencyHistogram()

    /// Waits for subscribers and for ``start(_:)``.
    init(loop: PacketLoop, plan: LoadPlan) {
        self.loop = loop
        self.plan = plan
        self.payloads = LoadPayloads(length: plan.size, inOnePiece: plan.usesDatagrams)
    }

    /// How many subscriptions there are.
    var outletCount: Int { self.outlets.count }

    /// The largest location that was sent.
    var largest: Location? {
        self.sequence == 0 ? nil : self.location(of: self.sequence - 1)
    }

    /// Whether everything that was due has been sent.
    var isOver: Bool {
        if case .over = self.state { true } else { false }
    }

    /// Adds a subscriber that was just accepted.
    func attach(_ publisher: TrackPublisher) {
        guard !publisher.isEnded else { return }
        publisher.delegate = self
        self.outlets.append(Outlet(publisher, lanes: self.plan.subgroups))
        self.pump()
    }

    /// Begins to send.
    func start(_ schedule: LoadSchedule) {
        self.state = .running(schedule)
        self.pump()
    }

    /// Sends no more. What is open ends.
    func stop() {
        self.timer?.cancel()
        self.state = .over
        for outlet in self.outlets {
            for lane in outlet.lanes.indices {
                outlet.lanes[lane]?.finish()
                outlet.lanes[lane] = nil
            }
        }
    }

    // MARK: - The pace

    /// Sends what is due. What it calls may call it again; that is left to the call that is running.
    private func pump() {
        guard !self.isPumping, case .running(let schedule) = self.state, self.timer?.isScheduled != true else { return }
        self.isPumping = true
        defer { self.isPumping = false }
        for _ in 0..<Self.batchesPerTurn {
            guard self.outlets.contains(where: { $0.wantsObjects }) else {
                // Somebody's queue drains, or somebody wants objects again.
                return
            }
            let now = BenchClock.now
            guard let count = self.dueCount(schedule, now) else { return }
            let stamps = self.payloads.stamps(from: self.sequence, count: count) { sequence in
                schedule.rate == nil ? now : schedule.due(sequence)
            }
            for position in 0..<count {
                self.send(self.payloads.head(position, of: stamps))
            }
            self.count(count, schedule, now)
        }
        self.pump(after: .zero)
    }

    /// How many objects to send now, at least one; nil when it is not time, and then the time was looked after.
    private func dueCount(_ schedule: LoadSchedule, _ now: UInt64) -> Int? {
        guard now >= schedule.start else {
            self.pump(after: .nanoseconds(Int64(schedule.start - now)))
            return nil
        }
        guard schedule.rate != nil else {
            guard now < schedule.end else {
                self.stop()
                return nil
            }
            guard self.hasRoomForDatagrams else {
                self.pump(after: Self.datagramRetryDelay)
                return nil
            }
            return self.payloads.batch
        }
        let due = schedule.dueCount(at: now)
        guard due > self.sequence else {
            let next = schedule.due(self.sequence)
            guard next < schedule.end else {
                self.stop()
                return nil
            }
            self.pump(after: .nanoseconds(Int64(next - now)))
            return nil
        }
        return Int(min(due - self.sequence, UInt64(self.payloads.batch)))
    }

    private var hasRoomForDatagrams: Bool {
        !self.plan.usesDatagrams
            || self.outlets.contains {
                $0.publisher.session.transport.statistics.datagramsQueued < Self.maximumQueuedDatagrams
            }
    }

    private func pump(after delay: Duration) {
        self.timer = self.loop.schedule(after: delay) { [weak self] in
            self?.pump()
        }
    }

    /// Counts the objects that were sent last.
    private func count(_ count: Int, _ schedule: LoadSchedule, _ now: UInt64) {
        self.sent.total += UInt64(count)
        guard schedule.rate != nil else {
            self.sent.measured += schedule.measures(now) ? UInt64(count) : 0
            return
        }
        for sequence in (self.sequence - UInt64(count))..<self.sequence {
            let due = schedule.due(sequence)
            if schedule.measures(due) {
                self.sent.measured += 1
                self.lag.record(now - min(now, due))
            }
        }
    }

    // MARK: - Objects

    private func location(of sequence: UInt64) -> Location {
        Location(group: sequence / self.plan.groupSize, object: sequence % self.plan.groupSize)
    }

    private func send(_ head: Bytes) {
        let location = self.location(of: self.sequence)
        self.sequence += 1
        if self.plan.usesDatagrams {
            let header = ObjectDatagram(
                trackAlias: TrackAlias(rawValue: 0),
                groupID: location.group,
                objectID: location.object,
                publisherPriority: 128
            )
            for outlet in self.outlets {
                outlet.publisher.receive(header, payload: head)
            }
            return
        }
        let lane = Int(location.object % UInt64(self.plan.subgroups))
        let isLast = location.object + UInt64(self.plan.subgroups) >= self.plan.groupSize
        let header = ObjectHeader(objectID: location.object, payloadLength: UInt64(self.payloads.length))
        for outlet in self.outlets {
            if outlet.lanes[lane] == nil {
                self.open(lane, of: outlet, at: location)
            }
            guard let subgroup = outlet.lanes[lane] else { continue }
            subgroup.beginObject(header)
            subgroup.receive(payload: head)
            if !self.payloads.rest.isEmpty {
                subgroup.receive(payload: self.payloads.rest)
            }
            if isLast {
                outlet.lanes[lane] = nil
                subgroup.finish()
            }
        }
    }

    private func open(_ lane: Int, of outlet: Outlet, at location: Location) {
        guard outlet.publisher.forward else { return }
        // That it contains the end of the group is not said: the load may stop in the middle.
        outlet.lanes[lane] = outlet.publisher.beginSubgroup(
            SubgroupDescription(
                group: location.group,
                subgroup: UInt64(lane),
                isFirstObject: location.object == UInt64(lane)
            )
        )
    }
}

extension LoadPump: TrackPublisherDelegate {
    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        if !forward, let outlet = self.outlets.first(where: { $0.publisher === publisher }) {
            // What is left out must not look complete.
            for lane in outlet.lanes.indices {
                outlet.lanes[lane]?.reset(.cancelled)
                outlet.lanes[lane] = nil
            }
        }
        self.pump()
    }

    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        self.largest
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.pump()
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        self.outlets.removeAll { $0.publisher === publisher }
        self.pump()
    }
}
