// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// One track: its publisher in use and those that stand by, and all its subscribers. (loop)
///
/// ```
///               SUBSCRIBE of the first subscriber                PUBLISH
///                            │                                      │
///                            ▼          the publisher accepts       ▼
///                         waiting ─────────────────────────────► forwarding
///                            │                                      │
///                            │ refused, timed out,                  │ last publisher gone, or the last subscriber
///                            │ nobody waits any more                │ and nobody published with PUBLISH
///                            └───────────────► over ◄───────────────┘
/// ```
///
/// A track that subscribers are willing to wait for can be waiting without a publisher (``isAwaitingPublisher``).
///
/// There is one upstream subscription in use at a time, however many subscribers there are: the newest. A publisher
/// that offers the track with PUBLISH takes over from the one in use, which stands by with forward state 0 (its open
/// subgroups run to their end) and takes over again if the newer one goes away without ending the track.
///
/// An ended forwarder is out of the relay's table before its subscribers are told, so that a subscription that arrives
/// while they are being ended gets a fresh one.
final class TrackForwarder {
    let name: FullTrackName
    /// The largest location that was observed or that a publisher reported (draft-18 §10.2.11).
    private(set) var largest: Location?
    /// The properties of the track, as the newest publisher gave them.
    private(set) var properties = PropertyList()
    private(set) var isOver = false
    /// Where objects are remembered while they are forwarded.
    private(set) var cache: TrackCache?
    /// The group of the cache that the last datagram went to.
    private var datagramGroup: CachedGroup?

    let ledger: RelayLedger
    weak var relay: MoQRelay?
    /// The publishers, the one in use last.
    var upstreams: [UpstreamFeed] = []
    var waiting: [WaitingSubscriber] = []
    var subscribers: [TrackSubscriber] = []
    private var subgroups: [SubgroupForwarder] = []
    /// How many subscribers want objects now.
    private var demand = 0
    private var isPaused = false
    /// Runs while a SUBSCRIBE of the relay is unanswered.
    var answerTimer: LoopTimer?
    /// Whether nobody publishes the track, and subscribers wait for somebody who does.
    var isAwaitingPublisher = false {
        didSet {
            if oldValue, !self.isAwaitingPublisher {
                self.relay?.rendezvousEnded(self)
            }
        }
    }
    /// The publishers that were sent a SUBSCRIBE since the track was last established.
    var askedPublishers: Set<ObjectIdentifier> = []
    /// The most telling of their refusals.
    var refusal: (code: RequestErrorCode, reason: String)?

    init(name: FullTrackName, relay: MoQRelay, ledger: RelayLedger) {
        self.name = name
        self.relay = relay
        self.ledger = ledger
        ledger.counters.live.tracks += 1
    }

    /// The publisher in use.
    var upstream: UpstreamFeed? {
        self.upstreams.last
    }

    /// Whether a subscriber can be told SUBSCRIBE_OK at once: only with an established subscription upstream
    /// (draft-18 §9.4).
    var isEstablished: Bool {
        self.upstream?.state == .established
    }

    /// Whether a publisher offered the track with PUBLISH.
    var isPublished: Bool {
        self.upstreams.contains { $0.origin == .published }
    }

    /// Whether ``largest`` keeps up with the publisher: its objects come here.
    var isReceiving: Bool {
        self.isEstablished && (self.upstream?.origin == .subscribed || self.hasDemand)
    }

    /// Whether anybody wants objects now.
    var hasDemand: Bool {
        self.demand > 0
    }

    /// Takes in what a publisher says about the track.
    func learn(largest: Location?, properties: PropertyList, from owner: RelayPeer) {
        if let largest {
            self.observed(largest)
        }
        self.properties = properties
        self.remember(owner)
        if let largest {
            self.cache?.noteLargest(largest)
        }
    }

    /// Remembers from now on what this publisher sends.
    func remember(_ owner: RelayPeer) {
        self.cache = self.relay?.cache(of: self.name, from: owner)
        self.cache?.properties = self.properties
        self.datagramGroup = nil
    }

    // MARK: Objects

    /// An object begins at this location.
    func observed(_ location: Location) {
        guard let largest = self.largest, largest >= location else {
            self.largest = location
            return
        }
    }

    func beginSubgroup(_ description: SubgroupDescription, from feed: UpstreamFeed) -> (any SubgroupConsumer)? {
        guard feed === self.upstream else {
            self.ledger.counters.subgroupsRefused &+= 1
            return nil
        }
        let subgroup = SubgroupForwarder(description, forwarder: self, ledger: self.ledger)
        subgroup.index = self.subgroups.count
        self.subgroups.append(subgroup)
        self.ledger.counters.live.subgroups += 1
        for subscriber in self.subscribers {
            subgroup.add(subscriber)
        }
        subgroup.begin()
        return self.isOver ? nil : subgroup
    }

    func subgroupEnded(_ subgroup: SubgroupForwarder) {
        let index = subgroup.index
        guard index < self.subgroups.count, self.subgroups[index] === subgroup else {
            return
        }
        let last = self.subgroups.removeLast()
        if last !== subgroup {
            self.subgroups[index] = last
            last.index = index
        }
        self.ledger.counters.live.subgroups -= 1
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes, from feed: UpstreamFeed) {
        guard feed === self.upstream else {
            return
        }
        self.observed(Location(group: datagram.groupID, object: datagram.objectID))
        self.record(datagram, payload: payload)
        var handed: UInt64 = 0
        let subscribers = self.subscribers
        for subscriber in subscribers where !subscriber.isOver && subscriber.publisher.forward {
            subscriber.publisher.receive(datagram, payload: payload)
            handed &+= 1
        }
        self.ledger.counters.objectsIn &+= 1
        self.ledger.counters.bytesIn &+= UInt64(payload.count)
        self.ledger.counters.objectsOut &+= handed
        self.ledger.counters.bytesOut &+= handed &* UInt64(payload.count)
        if handed == 0 {
            self.ledger.counters.objectsWithoutSubscriber &+= 1
        }
    }

    private func record(_ datagram: ObjectDatagram, payload: Bytes) {
        guard let cache = self.cache else {
            return
        }
        let location = Location(group: datagram.groupID, object: datagram.objectID)
        var group = self.datagramGroup?.id == location.group ? self.datagramGroup : nil
        let object = cache.record(
            FetchObjectHeader(
                location: location,
                subgroupID: nil,
                publisherPriority: datagram.publisherPriority ?? self.properties.defaultPublisherPriority ?? 128,
                properties: datagram.properties,
                payloadLength: UInt64(payload.count)
            ),
            status: datagram.status,
            in: &group,
            now: self.ledger.loop.now.microseconds
        )
        self.datagramGroup = group
        object?.append(payload)
        if datagram.endsGroup, datagram.status == .normal {
            cache.noteEndOfGroup(after: location)
        }
    }

    // MARK: Subscribers

    /// Adds a subscriber that was accepted. It takes part in the subgroups that are open from their next object on, as
    /// far as its filter allows.
    func join(_ publisher: TrackPublisher, owner: RelayPeer) {
        let subscriber = TrackSubscriber(owner: owner, publisher: publisher, forwarder: self)
        subscriber.index = self.subscribers.count
        self.subscribers.append(subscriber)
        owner.subscriptions[self.name] = .joined(subscriber)
        self.ledger.counters.subscribers &+= 1
        self.ledger.counters.live.subscribers += 1
        publisher.delegate = subscriber
        for subgroup in self.subgroups {
            subgroup.add(subscriber)
        }
        self.subscriberChangedForward(subscriber)
    }

    func subscriberChangedForward(_ subscriber: TrackSubscriber) {
        let wants = !subscriber.isOver && subscriber.publisher.forward
        if wants != subscriber.isDemanding {
            subscriber.isDemanding = wants
            self.demand += wants ? 1 : -1
        }
        if wants {
            self.reconsiderSubgroups(for: subscriber)
        }
        self.synchronizeUpstream()
        self.resumeIfPossible()
    }

    func subscriberChangedWishes(_ subscriber: TrackSubscriber) {
        self.reconsiderSubgroups(for: subscriber)
    }

    func subscriberDrained() {
        self.resumeIfPossible()
    }

    /// The subscriber's session says that the subscription is over.
    func subscriberEnded(_ subscriber: TrackSubscriber, end: TrackPublisherEnd) {
        if case .tooFarBehind = end {
            self.ledger.counters.subscribersCutOff &+= 1
        }
        self.remove(subscriber)
        self.settle()
    }

    /// Takes a subscriber out of every list. What becomes of its streams is the caller's business, unless a code is
    /// given.
    func remove(_ subscriber: TrackSubscriber, reset code: StreamResetCode? = nil) {
        guard subscriber.index < self.subscribers.count, self.subscribers[subscriber.index] === subscriber else {
            return
        }
        subscriber.detach()
        let last = self.subscribers.removeLast()
        if last !== subscriber {
            self.subscribers[subscriber.index] = last
            last.index = subscriber.index
        }
        if subscriber.isDemanding {
            subscriber.isDemanding = false
            self.demand -= 1
        }
        if case .joined(let joined) = subscriber.owner.subscriptions[self.name], joined === subscriber {
            subscriber.owner.subscriptions[self.name] = nil
        }
        self.ledger.counters.live.subscribers -= 1
        for subgroup in self.subgroups {
            subgroup.remove(subscriber, reset: code)
        }
    }

    /// Draws the consequences of a subscriber's leaving: the last one takes the upstream subscriptions along that were
    /// made for it.
    func settle() {
        guard !self.isOver else {
            return
        }
        if self.subscribers.isEmpty, self.waiting.isEmpty {
            for feed in self.upstreams where feed.origin == .subscribed {
                self.drop(feed)
            }
            guard !self.upstreams.isEmpty else {
                self.finish()
                return
            }
        }
        self.synchronizeUpstream()
        self.resumeIfPossible()
    }

    /// Ends every subscriber, after everything that was forwarded.
    func endSubscribers(_ status: PublishDoneStatus, reason: String) {
        let subscribers = self.subscribers
        for subscriber in subscribers {
            self.remove(subscriber, reset: status == .malformedTrack ? .malformedTrack : .cancelled)
        }
        for subscriber in subscribers {
            subscriber.publisher.end(status, reason: reason)
        }
    }

    /// Takes the forwarder out of the relay, with the subgroups that are still open. No subscriber is told anything.
    func finish() {
        guard !self.isOver else {
            return
        }
        self.isOver = true
        self.answerTimer?.cancel()
        self.answerTimer = nil
        self.setPaused(false)
        self.cache = nil
        self.datagramGroup = nil
        self.isAwaitingPublisher = false
        let open = self.subgroups
        for subgroup in open {
            subgroup.reset(.cancelled)
        }
        self.ledger.counters.live.tracks -= 1
        self.relay?.trackEnded(self)
    }

    private func reconsiderSubgroups(for subscriber: TrackSubscriber) {
        for subgroup in self.subgroups {
            subgroup.reconsider(subscriber)
        }
    }

    // MARK: Upstream

    /// Ends the relay's subscription on a publisher's session.
    func drop(_ feed: UpstreamFeed) {
        self.forget(feed)
        feed.detach()
    }

    /// Takes a feed out of the lists.
    func forget(_ feed: UpstreamFeed) {
        guard let index = self.upstreams.firstIndex(where: { $0 === feed }) else {
            return
        }
        self.upstreams.remove(at: index)
        self.ledger.counters.live.upstreams -= 1
        if feed.owner.upstreams[self.name] === feed {
            feed.owner.upstreams[self.name] = nil
        }
        if feed.origin == .published, !self.isPublished {
            self.relay?.trackUnpublished(self)
        }
    }

    /// Puts a feed in the place of the one in use.
    func use(_ feed: UpstreamFeed) {
        self.upstreams.append(feed)
        feed.owner.upstreams[self.name] = feed
        self.ledger.counters.live.upstreams += 1
        feed.setPaused(self.isPaused)
    }

    /// Tells every publisher whether its objects are wanted: those that stand by never, the one in use when somebody
    /// wants objects. A subscription that the relay made keeps forward state 1 until it is cancelled
    /// (draft-18 §9.2, "Forward Handling").
    func synchronizeUpstream() {
        for feed in self.upstreams.dropLast() {
            feed.setForward(false)
        }
        guard let upstream = self.upstream else {
            return
        }
        upstream.setForward(upstream.origin == .subscribed || self.hasDemand)
    }

    // MARK: Backpressure

    /// Every subscriber that took part in some object is above its high watermark. If that is so for all that take
    /// objects at all, the publisher has to wait for the fastest of them.
    func everybodyLags() {
        guard !self.isPaused, self.doAllTakersLag else {
            return
        }
        self.setPaused(true)
    }

    private func resumeIfPossible() {
        guard self.isPaused, !self.doAllTakersLag else {
            return
        }
        self.setPaused(false)
    }

    /// Whether there is a subscriber that takes objects of open subgroups, and all such are above their high watermark.
    private var doAllTakersLag: Bool {
        var hasTaker = false
        for subscriber in self.subscribers where subscriber.liveLegs > 0 && subscriber.publisher.forward {
            guard subscriber.publisher.isAboveHighWatermark else {
                return false
            }
            hasTaker = true
        }
        return hasTaker
    }

    private func setPaused(_ paused: Bool) {
        guard paused != self.isPaused else {
            return
        }
        self.isPaused = paused
        if paused {
            self.ledger.counters.pauses &+= 1
            self.ledger.counters.live.pausedTracks += 1
        } else {
            self.ledger.counters.resumes &+= 1
            self.ledger.counters.live.pausedTracks -= 1
        }
        for feed in self.upstreams {
            feed.setPaused(paused)
        }
    }
}
