// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// All subscribers of a load. (loop)
final class LoadCrowd {
    /// What it has received so far.
    struct Figures: Sendable {
        /// When this was so, on ``BenchClock``.
        var time: UInt64
        /// How much CPU the loop has used, in nanoseconds.
        var threadCPU: UInt64
        /// How many objects arrived, measured or not, and the bytes of their payloads.
        var objects: UInt64
        var bytes: UInt64
        /// Of the objects that are measured, see ``LoadTally``.
        var delivered: UInt64
        var duplicated: UInt64
        var tooOld: UInt64
        var late: UInt64
        var corrupt: UInt64
        /// How many subscriptions have ended before their time, of those who read and of those who do not.
        var ended: Int
        var slowEnded: Int
    }

    private let loop: PacketLoop
    private let tracks: [FullTrackName]
    private let plan: LoadPlan
    private let configuration: MoQSessionConfiguration
    private let events: LoadEvents
    private let tally: LoadTally
    private let slowTally: LoadTally
    private var members: [LoadSubscriber] = []
    private var subscribedCount = 0
    private var endedCount = 0
    private var slowEndedCount = 0

    /// The draft that is spoken, once somebody is there.
    private(set) var draft: DraftVersion?

    /// A crowd that nobody has joined yet.
    init(
        loop: PacketLoop,
        track: FullTrackName,
        plan: LoadPlan,
        configuration: MoQSessionConfiguration,
        events: LoadEvents
    ) {
        self.loop = loop
        self.tracks = plan.trackNames(track)
        self.plan = plan
        self.configuration = configuration
        self.events = events
        let lateAfter = BenchClock.nanoseconds(plan.lateAfter)
        self.tally = LoadTally(size: plan.size, lateAfter: lateAfter)
        self.slowTally = LoadTally(size: plan.size, lateAfter: lateAfter)
    }

    /// A connection of another subscriber stands, or is about to.
    func join(_ transport: any WebTransportSession, profile: DraftProfile) {
        // The first ones are those that will stop reading.
        let isSlow = self.members.count < self.plan.slowSubscribers
        let track = self.tracks[self.members.count % self.tracks.count]
        let member = LoadSubscriber(track: track, tally: isSlow ? self.slowTally : self.tally) {
            [weak self] event in
            self?.heard(event, isSlow: isSlow)
        }
        self.members.append(member)
        self.draft = profile.version
        member.join(transport, loop: self.loop, profile: profile, configuration: self.configuration)
    }

    /// The load begins.
    func start(_ schedule: LoadSchedule) {
        self.tally.schedule = schedule
        self.slowTally.schedule = schedule
        for member in self.members.prefix(self.plan.slowSubscribers) {
            member.pause()
        }
    }

    /// What those who read have received so far.
    var figures: Figures {
        Figures(
            time: BenchClock.now,
            threadCPU: BenchClock.threadCPU,
            objects: self.tally.objects,
            bytes: self.tally.bytes,
            delivered: self.tally.delivered,
            duplicated: self.tally.duplicated,
            tooOld: self.tally.tooOld,
            late: self.tally.late,
            corrupt: self.tally.corrupt,
            ended: self.endedCount,
            slowEnded: self.slowEndedCount
        )
    }

    /// How long objects took.
    var latency: LatencyHistogram { self.tally.latency }

    /// Closes the sessions.
    func close() {
        for member in self.members {
            member.close()
        }
    }

    private func heard(_ event: LoadSubscriber.Event, isSlow: Bool) {
        switch event {
        case .subscribed:
            self.subscribedCount += 1
            if self.subscribedCount == self.plan.subscribers {
                self.events.subscribed.succeed(())
            }
        case .ended(let failure):
            self.events.subscribed.fail(failure)
            guard !isSlow else {
                self.slowEndedCount += 1
                return
            }
            self.endedCount += 1
            // One of many may be lost; the figures say so.
            if self.endedCount == self.plan.readers {
                self.events.broken.fail(failure)
            }
        }
    }
}
