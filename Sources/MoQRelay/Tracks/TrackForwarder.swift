// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// One track: its publishers and its subscribers. (loop)
///
/// ```
///               SUBSCRIBE of the first subscriber                PUBLISH
///                            │                                      │
///                            ▼          a publisher accepts         ▼
///                         waiting ─────────────────────────────► forwarding
///                            │                                      │
///                            │ all refused, timed out,              │ last publisher gone, or the last subscriber
///                            │ nobody waits any more                │ and nobody published with PUBLISH
///                            └───────────────► over ◄───────────────┘
/// ```
///
/// A track that subscribers are willing to wait for can be waiting without a publisher (``isAwaitingPublisher``).
///
/// Every publisher that is known to have the track is subscribed to, or its PUBLISH accepted, up to a bound, and what they
/// send is made one (draft-18 §9.3, "Multiple Publishers"). While there is one publisher its objects are passed on without
/// a look at anything; a ``TrackMerge`` is there only while there are several, and until the one that is left has passed
/// what the others sent.
///
/// Another shard of the relay is a subscriber like others, and a publisher, with one difference: what comes from one shard is
/// not passed on to another. So a shard is served only while a publisher of this one has the track, be it a client or an
/// upstream relay (``hasOwnPublisher``); and one is asked, and its objects wanted, only for clients and upstream relays.
///
/// An ended forwarder is out of the relay's table before its subscribers are told, so that a subscription that arrives
/// while they are being ended gets a fresh one.
final class TrackForwarder {
    let name: FullTrackName
    /// The largest location that was observed or that a publisher reported (draft-18 §10.2.11).
    private(set) var largest: Location?
    /// The properties of the track, as the publisher gave them that had it first.
    private(set) var properties = PropertyList()
    private(set) var isOver = false
    /// Where objects are remembered while they are forwarded.
    private(set) var cache: TrackCache?
    /// The group of the cache that the last datagram went to.
    var datagramGroup: CachedGroup?

    let ledger: RelayLedger
    weak var relay: MoQRelay?
    /// The publishers, those included that have not answered, the newest last.
    var upstreams: [UpstreamFeed] = []
    var waiting: [WaitingSubscriber] = []
    var subscribers: [TrackSubscriber] = []
    /// The subgroups that are open.
    var subgroups: [SubgroupForwarder] = []
    /// How far those got that are over.
    var history = SubgroupHistory()
    /// Makes one of what the publishers send, while there are several.
    var merge: TrackMerge?
    /// How many subscribers want objects now, and how many of them are other shards.
    private var demand = 0
    private var siblingDemand = 0
    /// How many of the subscribers are other shards.
    private(set) var siblingSubscribers = 0
    private var isPaused = false
    /// Whether nobody publishes the track, and subscribers wait for somebody who does.
    var isAwaitingPublisher = false
    /// The publishers that were sent a SUBSCRIBE since the track last lost all of them.
    var askedPublishers: Set<UInt64> = []
    /// The most telling of their refusals.
    var refusal: (code: RequestErrorCode, reason: String)?
    /// The most telling end that a publisher came to while others went on.
    var ending: (status: PublishDoneStatus, reason: String)?

    init(name: FullTrackName, relay: MoQRelay, ledger: RelayLedger) {
        self.name = name
        self.relay = relay
        self.ledger = ledger
        ledger.counters.live.tracks += 1
    }

    /// The publisher that is asked for what is not known of the track: the newest that has accepted.
    var upstream: UpstreamFeed? {
        self.upstreams.last { $0.state == .established }
    }

    /// Whether a subscriber can be told SUBSCRIBE_OK at once: only with an established subscription upstream
    /// (draft-18 §9.4).
    var isEstablished: Bool {
        self.upstream != nil
    }

    /// The same for a subscriber of this session.
    func isEstablished(for owner: RelayPeer) -> Bool {
        self.upstreams.contains { $0.state == .established && !($0.owner.isSibling && owner.isSibling) }
    }

    /// Whether the track comes, or may come, from a publisher of this shard.
    var hasOwnPublisher: Bool {
        self.upstreams.contains { !$0.owner.isSibling }
    }

    /// Whether anybody but another shard wants the track.
    private var isWantedHere: Bool {
        self.subscribers.count > self.siblingSubscribers || self.waiting.contains { !$0.owner.isSibling }
    }

    /// Whether a publisher offered the track with PUBLISH.
    var isPublished: Bool {
        self.upstreams.contains { $0.origin == .published }
    }

    /// Whether the track comes, or may come, from an upstream relay.
    var comesFromAbove: Bool {
        self.upstreams.contains { $0.owner.isUpstream }
    }

    /// Whether ``largest`` keeps up with the publishers: their objects come here.
    var isReceiving: Bool {
        self.upstreams.contains { $0.state == .established && self.wantsObjects(from: $0) }
    }

    /// Whether there is a publisher, or one that may be, besides this one.
    func hasPublisher(besides feed: UpstreamFeed?) -> Bool {
        self.upstreams.contains { $0 !== feed }
    }

    /// Whether anybody wants objects now that this session may bring.
    func hasDemand(of owner: RelayPeer) -> Bool {
        self.demand > (owner.isSibling ? self.siblingDemand : 0)
    }

    /// Whether objects are to flow. A subscription that the relay made keeps forward state 1 until it is cancelled
    /// (draft-18 §9.2, "Forward Handling").
    private func wantsObjects(from feed: UpstreamFeed) -> Bool {
        feed.origin == .subscribed || self.hasDemand(of: feed.owner)
    }

    /// A publisher has the track: takes in what it says about it, before its objects come.
    func learn(largest: Location?, properties: PropertyList, from feed: UpstreamFeed) {
        let hasOthers = self.upstreams.contains { $0 !== feed && $0.state == .established }
        if let largest {
            self.observed(largest)
        }
        if !hasOthers || self.properties.isEmpty {
            self.properties = properties
        }
        self.ending = nil
        if !hasOthers || self.cache == nil {
            self.remember(feed.owner)
        }
        if let largest {
            self.cache?.noteLargest(largest)
        }
        if hasOthers {
            self.beginMerging(with: feed)
        }
    }

    /// Remembers from now on what this publisher sends.
    func remember(_ owner: RelayPeer) {
        self.cache = self.relay?.cache(of: self.name, from: owner)
        self.cache?.properties = self.properties
        self.datagramGroup = nil
    }

    /// What several publishers sent belongs to the one that is asked for the rest.
    func passOnMemory() {
        if let upstream = self.upstream {
            self.cache?.source = ObjectIdentifier(upstream.owner)
        }
    }

    // MARK: Objects

    /// An object begins at this location.
    func observed(_ location: Location) {
        guard let largest = self.largest, largest >= location else {
            self.largest = location
            return
        }
    }

    // MARK: Subscribers

    /// Adds a subscriber that was accepted. It takes part in the subgroups that are open from their next object on, as
    /// far as its filter allows.
    func join(_ publisher: TrackPublisher, owner: RelayPeer) {
        let subscriber = TrackSubscriber(owner: owner, publisher: publisher, forwarder: self)
        // Other shards are asked for those here alone, so the first of those counts as well.
        let isFirst = self.subscribers.count == (owner.isSibling ? 0 : self.siblingSubscribers)
        subscriber.index = self.subscribers.count
        self.subscribers.append(subscriber)
        owner.subscriptions[self.name] = .joined(subscriber)
        if owner.isSibling {
            self.siblingSubscribers += 1
        } else {
            self.ledger.counters.subscribers &+= 1
            self.ledger.counters.live.subscribers += 1
        }
        publisher.delegate = subscriber
        for subgroup in self.subgroups {
            subgroup.add(subscriber)
        }
        self.subscriberChangedForward(subscriber)
        if isFirst {
            self.ending = nil
            self.askFurther()
        }
    }

    func subscriberChangedForward(_ subscriber: TrackSubscriber) {
        let wants = !subscriber.isOver && subscriber.publisher.forward
        self.setDemanding(subscriber, wants)
        if wants {
            self.reconsiderSubgroups(for: subscriber)
        } else {
            for subgroup in self.subgroups {
                subgroup.forgive(subscriber)
            }
        }
        self.synchronizeUpstream()
        self.resumeIfPossible()
    }

    private func setDemanding(_ subscriber: TrackSubscriber, _ isDemanding: Bool) {
        guard isDemanding != subscriber.isDemanding else {
            return
        }
        subscriber.isDemanding = isDemanding
        self.demand += isDemanding ? 1 : -1
        if subscriber.isSibling {
            self.siblingDemand += isDemanding ? 1 : -1
        }
    }

    func subscriberChangedWishes(_ subscriber: TrackSubscriber) {
        self.reconsiderSubgroups(for: subscriber)
        self.resumeIfPossible()
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
        if subscriber.isSibling, !self.isOver {
            // What clients here offer every shard has to know, also one that wants none of it now.
            self.relay?.offer(self, across: subscriber.owner)
        }
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
        self.setDemanding(subscriber, false)
        if case .joined(let joined) = subscriber.owner.subscriptions[self.name], joined === subscriber {
            subscriber.owner.subscriptions[self.name] = nil
        }
        if subscriber.isSibling {
            self.siblingSubscribers -= 1
        } else {
            self.ledger.counters.live.subscribers -= 1
        }
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
        self.turnSiblingsAway()
        if !self.isWantedHere {
            for feed in self.upstreams where feed.origin == .subscribed && feed.owner.isSibling {
                self.drop(feed)
            }
        }
        if self.subscribers.isEmpty, self.waiting.isEmpty {
            for feed in self.upstreams where feed.origin == .subscribed || self.isForNobody(feed) {
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

    /// Whether an upstream relay offered the track to somebody here who is gone.
    private func isForNobody(_ feed: UpstreamFeed) -> Bool {
        feed.owner.isUpstream && self.relay?.isAskedForTracks(of: self.name.namespace) != true
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
    func finish(resetting code: StreamResetCode = .cancelled) {
        guard !self.isOver else {
            return
        }
        self.isOver = true
        self.setPaused(false)
        self.cache = nil
        self.datagramGroup = nil
        self.endMerging()
        self.isAwaitingPublisher = false
        let open = self.subgroups
        for subgroup in open {
            subgroup.breakOff(code)
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
        feed.stopTimer()
        if !feed.owner.isSibling {
            self.ledger.counters.live.upstreams -= 1
        }
        if feed.owner.upstreams[self.name] === feed {
            feed.owner.upstreams[self.name] = nil
        }
        if feed.origin == .published, !self.isPublished {
            self.relay?.trackUnpublished(self)
        }
    }

    /// Adds a publisher.
    func use(_ feed: UpstreamFeed) {
        self.upstreams.append(feed)
        feed.owner.upstreams[self.name] = feed
        if !feed.owner.isSibling {
            self.ledger.counters.live.upstreams += 1
        }
        feed.setPaused(self.isPaused)
    }

    /// Tells every publisher whether its objects are wanted.
    func synchronizeUpstream() {
        for feed in self.upstreams {
            feed.setForward(self.wantsObjects(from: feed))
        }
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

    /// A subgroup begins, perhaps for a subscriber with room that took nothing before. Not at once: its stream is being read,
    /// and does not know yet where its objects go.
    func resumeSoon() {
        guard self.isPaused, !self.doAllTakersLag else {
            return
        }
        _ = self.ledger.loop.schedule(at: self.ledger.loop.now) { [weak self] in self?.resumeIfPossible() }
    }

    /// Some subscriber has room, or takes objects that did not before.
    private func resumeIfPossible() {
        guard self.isPaused, !self.doAllTakersLag else {
            return
        }
        self.setPaused(false)
    }

    /// Whether there is a subscriber that takes objects of open subgroups, and all such are above their high watermark.
    private var doAllTakersLag: Bool {
        for subgroup in self.subgroups {
            subgroup.closeEndedLegs()
        }
        var hasTaker = false
        for subscriber in self.subscribers where subscriber.takesObjects {
            guard subscriber.isAboveHighWatermark else {
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
