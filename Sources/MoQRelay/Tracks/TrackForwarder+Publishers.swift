// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// Who has a track: asking publishers, what they answer and offer, and what becomes of it when they go.
extension TrackForwarder {
    // MARK: Asking

    /// A publisher appeared that can be asked for the track, since it is waited for, or that may have it, too
    /// (draft-18 §9.5, "Publisher Interactions").
    func publisherAppeared(_ owner: RelayPeer) {
        guard !self.isOver, !self.waiting.isEmpty || !self.subscribers.isEmpty, owner.upstreams[self.name] == nil,
            self.makeRoomForPublisher()
        else {
            return
        }
        for subscriber in self.waiting {
            subscriber.stopAwaitingPublisher()
        }
        self.ask(owner)
    }

    /// Whether there may be one publisher more. When there are as many as may be, the first that has not answered makes
    /// room: it may have vanished, and who comes anew is there.
    private func makeRoomForPublisher() -> Bool {
        guard self.upstreams.count >= self.ledger.maximumPublishersPerTrack else {
            return true
        }
        guard let silent = self.upstreams.first(where: { $0.state == .pending }) else {
            return false
        }
        self.drop(silent)
        return true
    }

    /// Subscribes to the track on a publisher's session.
    func ask(_ owner: RelayPeer) {
        if owner.isUpstream {
            self.turnUpstreamRelaysAway()
        }
        let feed = UpstreamFeed(origin: .subscribed, owner: owner, forwarder: self, forward: true)
        self.askedPublishers.insert(owner.number)
        self.isAwaitingPublisher = false
        self.use(feed)
        self.subscribe(feed)
    }

    /// Asks those who may have the track as well as the one that has it, and have not been asked.
    func askFurther() {
        let room = self.ledger.maximumPublishersPerTrack - self.upstreams.count
        guard room > 0, !self.isOver else {
            return
        }
        let reach = Reach(crosses: self.reach.crosses)
        let others =
            self.relay?.publishers(of: self.name, besides: self.askedPublishers, within: reach, limit: room) ?? []
        for owner in others {
            self.ask(owner)
        }
    }

    /// Asks publishers of this shard, or the upstream relays, for another shard.
    /// - Returns: whether there is one.
    func askHere() -> Bool {
        let room = self.ledger.maximumPublishersPerTrack - self.upstreams.count
        let reach = Reach(goesUp: true)
        let others =
            self.relay?.publishers(of: self.name, besides: self.askedPublishers, within: reach, limit: room) ?? []
        for owner in others {
            self.ask(owner)
        }
        return !others.isEmpty
    }

    /// Has an upstream relay wait for a publisher, too, as long as somebody here waits (draft-18 §10.2.6). Who appears here
    /// meanwhile is asked all the same.
    func askUpstreamToWait() {
        let now = self.ledger.loop.now
        let patience = self.waiting.lazy.filter { !$0.owner.isUpstream }.map { $0.patience(at: now) }.max() ?? .zero
        guard self.isAwaitingPublisher, !self.isOver, patience >= .milliseconds(1),
            !self.upstreams.contains(where: { $0.patience != nil }),
            let owner = self.relay?.upstreamThatWaits(for: self.name, within: self.reach)
        else {
            return
        }
        self.turnUpstreamRelaysAway()
        let feed = UpstreamFeed(origin: .subscribed, owner: owner, forwarder: self, forward: true)
        feed.patience = patience
        self.use(feed)
        self.subscribe(feed)
    }

    /// Sends SUBSCRIBE. `attempt` counts the tries that were refused as duplicates.
    private func subscribe(_ feed: UpstreamFeed, attempt: Int = 0) {
        if !feed.owner.isSibling {
            self.ledger.counters.upstreamSubscribes &+= 1
        }
        let limit = self.ledger.configuration.upstreamResponseTimeout + (feed.patience ?? .zero)
        feed.startTimer(limit, on: self.ledger.loop) {
            [weak self, weak feed] in
            guard let self, let feed, feed.state == .pending else {
                return
            }
            self.ledger.counters.upstreamTimeouts &+= 1
            self.drop(feed)
            if !self.isAwaitingPublisher {
                self.publisherFailed(.timeout, reason: "the publisher does not answer")
            }
        }
        // The filter keeps old objects out that arrive late: they would reach no subscriber that asked for new ones,
        // and those of other filters begin at what is live.
        let group = feed.hasGroupRequests ? self.waiting.compactMap(\.newGroupRequest).max() : nil
        feed.groupRequested(group)
        let request = SubscribeRequest(
            track: self.name,
            parameters: SubscriptionParameters(
                forward: true,
                filter: .nextObject,
                newGroupRequest: group,
                rendezvousTimeout: feed.patience.map(Self.milliseconds)
            )
        )
        let subscription = feed.owner.session.subscribe(request, consumer: feed) { [weak self, weak feed] result in
            guard let self, let feed else {
                return
            }
            self.answered(feed, result, attempt: attempt)
        }
        feed.adopt(subscription)
    }

    private static func milliseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        return UInt64(clamping: seconds) &* 1_000 &+ UInt64(clamping: attoseconds / 1_000_000_000_000_000)
    }

    private func answered(_ feed: UpstreamFeed, _ result: Result<SubscribeOk, MoQError>, attempt: Int) {
        guard feed.state == .pending else {
            return
        }
        feed.stopTimer()
        switch result {
        case .success(let answer):
            self.learn(largest: answer.largestObject, properties: answer.properties, from: feed)
            self.established(feed)
        case .failure(let error):
            if error.requestError == .duplicateSubscription, attempt < Self.duplicateRetries.count {
                self.retry(feed, attempt: attempt)
                return
            }
            feed.end()
            self.forget(feed)
            guard feed.patience == nil || !self.isAwaitingPublisher else {
                // Who waits here waits on, and perhaps longer than those did for whom it was asked.
                if error.requestError == .timeout {
                    self.askUpstreamToWait()
                }
                return
            }
            self.publisherFailed(Self.downstreamCode(for: error), reason: error.message)
        }
    }

    /// How long to wait before the tries after a SUBSCRIBE that was refused as a duplicate.
    private static let duplicateRetries: [Duration] = [
        .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800),
    ]

    /// Asks again. From draft 18 on a SUBSCRIBE can overtake the cancellation of the one before, which travels on
    /// another stream; the publisher then takes it for a second subscription to the same track.
    private func retry(_ feed: UpstreamFeed, attempt: Int) {
        feed.subscriptionFailed()
        feed.startTimer(Self.duplicateRetries[attempt], on: self.ledger.loop) { [weak self, weak feed] in
            guard let self, let feed, feed.state == .pending else {
                return
            }
            self.subscribe(feed, attempt: attempt + 1)
        }
    }

    /// A publisher accepted, or its offer was accepted.
    private func established(_ feed: UpstreamFeed) {
        guard !self.isOver else {
            return
        }
        feed.established()
        self.refusal = nil
        self.isAwaitingPublisher = false
        for other in self.upstreams where other !== feed && other.patience != nil && other.state == .pending {
            // What appeared here need not be waited for above.
            self.drop(other)
        }
        self.passOnMemory()
        self.acceptWaiting()
    }

    /// A publisher did not give us the track. Others may have it all the same: those who wait are refused only when there is
    /// nobody left to ask.
    func publisherFailed(_ code: RequestErrorCode, reason: String) {
        // "Does not exist" is the weakest answer: the other publisher's may say more.
        if self.refusal == nil || self.refusal?.code == .doesNotExist {
            self.refusal = (code, reason)
        }
        guard !self.isOver else {
            return
        }
        if self.upstreams.isEmpty {
            self.lastPublisherLeft()
        } else {
            self.turnSiblingsAway()
        }
    }

    /// Asks those that can be asked next.
    /// - Returns: false when nobody wants the track, it has ended, or enough publishers were asked.
    private func askNext() -> Bool {
        let room = self.ledger.maximumPublishersPerTrack - self.askedPublishers.count
        guard !self.isOver, self.ending?.status != .trackEnded, room > 0,
            !self.waiting.isEmpty || !self.subscribers.isEmpty, let relay = self.relay
        else {
            return false
        }
        let next = relay.publishers(
            of: self.name,
            besides: self.askedPublishers,
            within: self.reach,
            limit: room
        )
        for owner in next {
            self.ask(owner)
        }
        return !next.isEmpty
    }

    /// Nobody has the track any more, or nobody has given it: somebody else is asked, or everybody is told.
    private func lastPublisherLeft() {
        guard !self.askNext() else {
            self.turnSiblingsAway()
            return
        }
        let refusal = self.refusal ?? (.doesNotExist, "the track ended")
        if self.subscribers.isEmpty, refusal.code == .doesNotExist, self.awaitPublisher(insteadOf: refusal.reason) {
            return
        }
        let ending = self.ending ?? (.internalError, "the publisher is gone")
        self.finish()
        self.rejectWaiting(refusal.code, reason: refusal.reason)
        self.endSubscribers(ending.status, reason: ending.reason)
    }

    /// The track is going to come from an upstream relay, and so not to one: two relays that have each other ask would wait
    /// for each other.
    func turnUpstreamRelaysAway() {
        for subscriber in self.waiting where subscriber.owner.isUpstream {
            self.removeWaiting(subscriber)
            subscriber.request.reject(.doesNotExist, reason: "nobody publishes the track here")
        }
        for subscriber in self.subscribers where subscriber.owner.isUpstream {
            self.remove(subscriber, reset: .cancelled)
            subscriber.publisher.end(.internalError, reason: "the publisher is gone")
        }
    }

    /// Where may be looked for the track, for somebody who wants it.
    var reach: Reach {
        var reach = Reach()
        for owner in self.waiting.lazy.map(\.owner) {
            reach.formUnion(owner.reach)
        }
        for subscriber in self.subscribers where reach != .everything {
            reach.formUnion(subscriber.owner.reach)
        }
        return reach
    }

    // MARK: Offers

    /// A publisher offers the track.
    func offered(_ request: IncomingPublish, by owner: RelayPeer) {
        if let own = owner.upstreams[self.name] {
            guard own.state == .pending else {
                request.reject(.duplicateSubscription, reason: "the track is being received on this session")
                return
            }
            // The offer crossed the relay's own SUBSCRIBE; that one ends before the offer is accepted
            // (draft-18 §5.1, "Subscriptions").
            self.drop(own)
        }
        guard self.makeRoomForPublisher() else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "the track has too many publishers")
            return
        }
        if owner.isUpstream {
            self.turnUpstreamRelaysAway()
        }
        let forward =
            self.hasDemand(of: owner)
            || self.waiting.contains {
                !(owner.isSibling && $0.owner.isSibling) && $0.request.request.parameters.forward ?? true
            }
        let wasPublished = self.isPublished
        self.isAwaitingPublisher = false
        let feed = UpstreamFeed(origin: .published, owner: owner, forwarder: self, forward: forward)
        self.use(feed)
        self.learn(largest: request.request.largestObject, properties: request.request.properties, from: feed)
        if !owner.isSibling {
            self.ledger.counters.upstreamPublishes &+= 1
        }
        feed.adopt(request.accept(forward: forward, consumer: feed))
        self.established(feed)
        guard !self.isOver else {
            return
        }
        if !wasPublished {
            self.relay?.trackPublished(self)
        } else if owner.isClient {
            // The others may have been offered what came from another shard, or nothing.
            self.relay?.offerAcross(self)
        }
    }

    // MARK: Ends

    /// A publisher's subscription is over; the feed is out of use already.
    ///
    /// While others have the track, or may have it, it goes on with them. After the last one the subscribers are told what
    /// the most telling of the ends said: only PUBLISH_DONE says that the track ended. When the publishers vanished or were
    /// cancelled, those are asked that announced the namespace, and the subscribers notice nothing but what was not sent
    /// meanwhile; without one they are told INTERNAL_ERROR.
    func upstreamEnded(_ feed: UpstreamFeed, end: TrackEnd) {
        self.forget(feed)
        guard !self.isOver else {
            return
        }
        let status = Self.downstreamStatus(for: end)
        guard status != .malformedTrack else {
            self.publisherIsMalformed(end.reason)
            return
        }
        if self.ending?.status != .trackEnded {
            self.ending = (status, end.reason)
        }
        self.publisherLeft()
        guard self.upstreams.isEmpty else {
            self.passOnMemory()
            self.synchronizeUpstream()
            self.turnSiblingsAway()
            return
        }
        if feed.owner.isSibling, status != .trackEnded {
            // There it is forgotten, too: what somebody else publishes under the name later may be something else.
            self.relay?.forgetTrack(self.name, of: feed.owner)
        }
        self.askedPublishers = [feed.owner.number]
        self.refusal = nil
        self.lastPublisherLeft()
    }

    /// What one publisher sends breaks the rules. Its subscribers are told; who offers the track still may go on.
    private func publisherIsMalformed(_ reason: String) {
        self.relay?.forget(self.name)
        if self.upstreams.allSatisfy({ $0.origin == .subscribed }) {
            let rest = self.upstreams
            for feed in rest {
                self.drop(feed)
            }
            self.finish(resetting: .malformedTrack)
        } else {
            self.endMerging()
            self.history = SubgroupHistory()
            if let upstream = self.upstream {
                self.remember(upstream.owner)
            }
        }
        self.rejectWaiting(.malformedTrack, reason: reason)
        self.endSubscribers(.malformedTrack, reason: reason)
        self.settle()
    }
}
