// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Sends the objects of a load to the subscribers of its tracks, one track after the other, on schedule or as fast as they are taken. (loop)
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
        let track: Int
        /// The open subgroups of the group that is being sent.
        var lanes: [(any SubgroupConsumer)?]

        init(_ publisher: TrackPublisher, track: Int, lanes: Int) {
            self.publisher = publisher
            self.track = track
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
    /// The subscriptions of each track.
    private var outlets: [[Outlet]]
    /// How many objects were sent, on all tracks together: object 0 on the first, object 1 on the second.
    private var sequence: UInt64 = 0
    private var timer: LoopTimer?
    private var isPumping = false

    /// How many objects were sent, and how many of them are measured.
    private(set) var sent: (total: UInt64, measured: UInt64) = (0, 0)
    /// How many of those that are measured were due when it stopped; nil before, and when nothing is due at a time of its own.
    private(set) var due: UInt64?
    /// How late those that are measured were handed over.
    private(set) var lag = LatencyHistogram()

    /// Waits for subscribers and for ``start(_:)``.
    init(loop: PacketLoop, plan: LoadPlan) {
        self.loop = loop
        self.plan = plan
        self.payloads = LoadPayloads(length: plan.size, inOnePiece: plan.usesDatagrams)
        self.outlets = Array(repeating: [], count: plan.tracks)
    }

    /// The largest location that was sent on a track.
    func largest(of track: Int) -> Location? {
        let (tracks, track) = (UInt64(self.plan.tracks), UInt64(track))
        guard self.sequence > track else { return nil }
        return self.location(of: (self.sequence - 1 - track) / tracks * tracks + track)
    }

    /// Whether everything that was due has been sent.
    var isOver: Bool {
        if case .over = self.state { true } else { false }
    }

    /// Adds a subscriber of a track that was just accepted.
    func attach(_ publisher: TrackPublisher, to track: Int) {
        guard !publisher.isEnded else { return }
        publisher.delegate = self
        self.outlets[track].append(Outlet(publisher, track: track, lanes: self.plan.subgroups))
        self.pump()
    }

    /// Begins to send.
    func start(_ schedule: LoadSchedule) {
        self.state = .running(schedule)
        self.pump()
    }

    /// Sends what has just become due, and then no more. What is open ends.
    func stop() {
        if case .running(let schedule) = self.state, schedule.rate != nil {
            self.due = schedule.measuredCount(at: BenchClock.now)
            self.timer?.cancel()
            self.pump()
        }
        self.timer?.cancel()
        self.state = .over
        for outlet in self.outlets.joined() {
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
            guard self.outlets.contains(where: { $0.contains { $0.wantsObjects } }) else {
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
            || self.outlets.joined().contains {
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
        let number = sequence / UInt64(self.plan.tracks)
        return Location(group: number / self.plan.groupSize, object: number % self.plan.groupSize)
    }

    private func send(_ head: Bytes) {
        let location = self.location(of: self.sequence)
        let outlets = self.outlets[Int(self.sequence % UInt64(self.plan.tracks))]
        self.sequence += 1
        if self.plan.usesDatagrams {
            let header = ObjectDatagram(
                trackAlias: TrackAlias(rawValue: 0),
                groupID: location.group,
                objectID: location.object,
                publisherPriority: 128
            )
            for outlet in outlets {
                outlet.publisher.receive(header, payload: head)
            }
            return
        }
        let lane = Int(location.object % UInt64(self.plan.subgroups))
        let isLast = location.object + UInt64(self.plan.subgroups) >= self.plan.groupSize
        let header = ObjectHeader(objectID: location.object, payloadLength: UInt64(self.payloads.length))
        for outlet in outlets {
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
        if !forward, let outlet = self.outlet(of: publisher) {
            // What is left out must not look complete.
            for lane in outlet.lanes.indices {
                outlet.lanes[lane]?.reset(.cancelled)
                outlet.lanes[lane] = nil
            }
        }
        self.pump()
    }

    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        self.outlet(of: publisher).flatMap { self.largest(of: $0.track) }
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.pump()
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        if let track = self.outlet(of: publisher)?.track {
            self.outlets[track].removeAll { $0.publisher === publisher }
        }
        self.pump()
    }

    private func outlet(of publisher: TrackPublisher) -> Outlet? {
        self.outlets.joined().first { $0.publisher === publisher }
    }
}
