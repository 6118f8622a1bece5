// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// The requests of a track's life: who wants it, who offers it, and what the publishers answer.
extension TrackForwarder {
    // MARK: Subscribers

    /// Answers a SUBSCRIBE, now or when the publisher has answered.
    func subscribe(_ request: IncomingSubscribe, from owner: RelayPeer) {
        let configuration = self.ledger.configuration
        guard self.subscribers.count + self.waiting.count < configuration.maximumSubscribersPerTrack else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "the track has too many subscribers")
            return
        }
        guard !owner.isUpstream || self.upstream?.owner.isUpstream != true else {
            // An upstream relay wants what another one, or it itself, is to bring.
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "nobody publishes the track here")
            return
        }
        guard !self.isEstablished else {
            self.accept(request, from: owner)
            return
        }
        let patience = self.isAwaitingPublisher ? self.relay?.rendezvousTime(of: request) : nil
        guard !self.isAwaitingPublisher || patience != nil else {
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "nobody publishes the track")
            return
        }
        guard self.waiting.count < configuration.maximumPendingSubscribersPerTrack else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "too many subscribers wait for the publisher")
            return
        }
        let subscriber = WaitingSubscriber(owner: owner, request: request)
        self.waiting.append(subscriber)
        self.ledger.counters.live.pendingSubscribers += 1
        owner.subscriptions[self.name] = .waiting(subscriber)
        request.onCancelled = { [weak self, weak subscriber] in
            guard let self, let subscriber else {
                return
            }
            self.removeWaiting(subscriber)
            self.settle()
        }
        if let patience {
            subscriber.awaitPublisher(for: patience, on: self.ledger.loop) { [weak self, weak subscriber] in
                guard let self, let subscriber else {
                    return
                }
                self.removeWaiting(subscriber)
                self.ledger.counters.rendezvousTimeouts &+= 1
                subscriber.request.reject(.timeout, reason: "no publisher appeared")
                self.settle()
            }
        }
    }

    /// A publisher appeared that can be asked for the track.
    func publisherAppeared(_ owner: RelayPeer) {
        for subscriber in self.waiting {
            subscriber.stopAwaitingPublisher()
        }
        self.openUpstream(on: owner)
    }

    /// Takes a subscriber out of those that wait.
    func removeWaiting(_ subscriber: WaitingSubscriber) {
        guard let index = self.waiting.firstIndex(where: { $0 === subscriber }) else {
            return
        }
        self.waiting.remove(at: index)
        self.forgetWaiting(subscriber)
    }

    private func forgetWaiting(_ subscriber: WaitingSubscriber) {
        self.ledger.counters.live.pendingSubscribers -= 1
        subscriber.stopAwaitingPublisher()
        subscriber.request.onCancelled = nil
        if case .waiting(let waiting) = subscriber.owner.subscriptions[self.name], waiting === subscriber {
            subscriber.owner.subscriptions[self.name] = nil
        }
    }

    private func accept(_ request: IncomingSubscribe, from owner: RelayPeer) {
        let publisher = request.accept(largest: self.largest, properties: self.properties)
        // A filter that nothing can match any more is refused by the session (INVALID_RANGE).
        guard !publisher.isEnded else {
            return
        }
        self.join(publisher, owner: owner)
    }

    private func acceptWaiting() {
        let waiting = self.waiting
        self.waiting = []
        for subscriber in waiting {
            self.forgetWaiting(subscriber)
            self.accept(subscriber.request, from: subscriber.owner)
        }
        self.settle()
    }

    private func rejectWaiting(_ code: RequestErrorCode, reason: String) {
        let waiting = self.waiting
        self.waiting = []
        for subscriber in waiting {
            self.forgetWaiting(subscriber)
            subscriber.request.reject(code, reason: reason)
        }
    }

    // MARK: Publishers

    /// Subscribes to the track on a publisher's session. `attempt` counts the tries that were refused as duplicates.
    func openUpstream(on owner: RelayPeer, attempt: Int = 0) {
        if owner.isUpstream {
            self.turnUpstreamRelaysAway()
        }
        let feed = UpstreamFeed(origin: .subscribed, owner: owner, forwarder: self, forward: true)
        self.askedPublishers.insert(ObjectIdentifier(owner))
        self.isAwaitingPublisher = false
        self.use(feed)
        self.ledger.counters.upstreamSubscribes &+= 1
        self.answerTimer = self.ledger.loop.schedule(after: self.ledger.configuration.upstreamResponseTimeout) {
            [weak self, weak feed] in
            guard let self, let feed, feed.state == .pending else {
                return
            }
            self.ledger.counters.upstreamTimeouts &+= 1
            self.drop(feed)
            self.upstreamFailed(.timeout, reason: "the publisher does not answer")
        }
        // The filter keeps old objects out that arrive late: they would reach no subscriber that asked for new ones,
        // and those of other filters begin at what is live.
        let request = SubscribeRequest(
            track: self.name,
            parameters: SubscriptionParameters(forward: true, filter: .nextObject)
        )
        let subscription = owner.session.subscribe(request, consumer: feed) { [weak self, weak feed] result in
            guard let self, let feed else {
                return
            }
            self.upstreamAnswered(feed, result, attempt: attempt)
        }
        feed.adopt(subscription)
    }

    private func upstreamAnswered(
        _ feed: UpstreamFeed,
        _ result: Result<SubscribeOk, MoQError>,
        attempt: Int
    ) {
        guard feed.state == .pending else {
            return
        }
        self.answerTimer?.cancel()
        self.answerTimer = nil
        switch result {
        case .success(let answer):
            feed.established()
            self.askedPublishers = []
            self.refusal = nil
            self.learn(largest: answer.largestObject, properties: answer.properties, from: feed.owner)
            self.acceptWaiting()
        case .failure(let error):
            feed.end()
            self.forget(feed)
            if error.requestError == .duplicateSubscription, attempt < Self.duplicateRetries.count {
                self.retryUpstream(on: feed.owner, attempt: attempt)
                return
            }
            self.upstreamFailed(Self.downstreamCode(for: error), reason: error.message)
        }
    }

    /// How long to wait before the tries after a SUBSCRIBE that was refused as a duplicate.
    private static let duplicateRetries: [Duration] = [
        .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800),
    ]

    /// Asks again. From draft 18 on a SUBSCRIBE can overtake the cancellation of the one before, which travels on
    /// another stream; the publisher then takes it for a second subscription to the same track.
    private func retryUpstream(on owner: RelayPeer, attempt: Int) {
        self.answerTimer = self.ledger.loop.schedule(after: Self.duplicateRetries[attempt]) { [weak self] in
            guard let self, !self.isOver, self.upstreams.isEmpty else {
                return
            }
            guard !owner.isClosed else {
                self.upstreamFailed(.internalError, reason: "the publisher is gone")
                return
            }
            self.openUpstream(on: owner, attempt: attempt + 1)
        }
    }

    /// A publisher did not give us the track. Another one that announced the namespace, or a beginning of it, may have
    /// it all the same: those who wait are refused only when there is nobody left to ask.
    private func upstreamFailed(_ code: RequestErrorCode, reason: String) {
        guard !self.isEstablished else {
            return
        }
        // "Does not exist" is the weakest answer: the other publisher's may say more.
        if self.refusal == nil || self.refusal?.code == .doesNotExist {
            self.refusal = (code, reason)
        }
        if self.upstreams.isEmpty {
            if let next = self.nextPublisher {
                self.openUpstream(on: next)
                return
            }
            self.finish()
        }
        self.rejectWaiting(self.refusal?.code ?? code, reason: self.refusal?.reason ?? reason)
        if self.isOver {
            // Their publisher is gone, and the ones that could have taken over did not.
            self.endSubscribers(.internalError, reason: "the publisher is gone")
        }
    }

    /// The track is going to come from an upstream relay, and so not to one: two relays that have each other ask would wait
    /// for each other.
    private func turnUpstreamRelaysAway() {
        for subscriber in self.waiting where subscriber.owner.isUpstream {
            self.removeWaiting(subscriber)
            subscriber.request.reject(.doesNotExist, reason: "nobody publishes the track here")
        }
        for subscriber in self.subscribers where subscriber.owner.isUpstream {
            self.remove(subscriber, reset: .cancelled)
            subscriber.publisher.end(.internalError, reason: "the publisher is gone")
        }
    }

    /// Whether somebody wants the track for whom an upstream relay may be asked.
    var mayGoUp: Bool {
        self.waiting.contains { !$0.owner.isUpstream } || self.subscribers.contains { !$0.owner.isUpstream }
    }

    /// Who can be asked for the track next; nil when nobody wants it, or enough publishers were asked.
    private var nextPublisher: RelayPeer? {
        guard !self.isOver, !self.waiting.isEmpty || !self.subscribers.isEmpty,
            self.askedPublishers.count < self.ledger.configuration.maximumPublishersPerTrack
        else {
            return nil
        }
        return self.relay?.publisher(
            of: self.name.namespace,
            besides: self.askedPublishers,
            mayGoUp: self.mayGoUp
        )
    }

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
        guard self.upstreams.count < self.ledger.configuration.maximumPublishersPerTrack else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "the track has too many publishers")
            return
        }
        for feed in self.upstreams where feed.state == .pending {
            self.drop(feed)
        }
        self.answerTimer?.cancel()
        self.answerTimer = nil
        let forward = self.hasDemand || self.waiting.contains { $0.request.request.parameters.forward ?? true }
        let wasPublished = self.isPublished
        self.isAwaitingPublisher = false
        let feed = UpstreamFeed(origin: .published, owner: owner, forwarder: self, forward: forward)
        self.use(feed)
        self.learn(
            largest: request.request.largestObject,
            properties: request.request.properties,
            from: owner
        )
        self.ledger.counters.upstreamPublishes &+= 1
        feed.adopt(request.accept(forward: forward, consumer: feed))
        feed.established()
        if !wasPublished {
            self.relay?.trackPublished(self)
        }
        self.acceptWaiting()
    }

    /// A publisher's subscription is over; the feed is out of use already.
    ///
    /// Only PUBLISH_DONE says that the track ended. When the publisher vanished or was cancelled, another one that
    /// stands by takes over, or else one that announced the namespace is asked, and the subscribers notice nothing but what
    /// was not sent meanwhile; without one they are told INTERNAL_ERROR.
    func upstreamEnded(_ feed: UpstreamFeed, end: TrackEnd) {
        let wasInUse = feed === self.upstream
        self.forget(feed)
        guard wasInUse, !self.isOver else {
            return
        }
        let status = Self.downstreamStatus(for: end)
        if status == .malformedTrack {
            self.relay?.forget(self.name)
        }
        if !self.upstreams.isEmpty, status != .trackEnded, status != .malformedTrack {
            if let upstream = self.upstream {
                self.remember(upstream.owner)
                if upstream.owner.isUpstream {
                    self.turnUpstreamRelaysAway()
                }
            }
            self.synchronizeUpstream()
            return
        }
        if self.upstreams.isEmpty, status != .trackEnded, status != .malformedTrack {
            self.askedPublishers.insert(ObjectIdentifier(feed.owner))
            if let next = self.nextPublisher {
                self.openUpstream(on: next)
                return
            }
        }
        if self.upstreams.allSatisfy({ $0.origin == .subscribed }) {
            let rest = self.upstreams
            for feed in rest {
                self.drop(feed)
            }
            self.finish()
        }
        self.rejectWaiting(.doesNotExist, reason: "the track ended")
        self.endSubscribers(status, reason: end.reason)
        self.settle()
    }

    // MARK: Codes

    /// What a subscriber is told when the publisher's side says this about the relay's own subscription.
    static func downstreamStatus(for end: TrackEnd) -> PublishDoneStatus {
        guard end.cause != .malformed else {
            return .malformedTrack
        }
        guard end.cause == .publishDone else {
            return .internalError
        }
        switch end.status {
        case .trackEnded, .malformedTrack, .goingAway, .excessiveLoad:
            return end.status
        case .internalError, .unauthorized, .subscriptionEnded, .expired, .tooFarBehind, .updateFailed, .unknown:
            // These judge the relay as a subscriber, and say nothing about the relay's own subscribers.
            return .internalError
        }
    }

    /// What a subscriber is told when the publisher refused the relay's own FETCH, whose range is the subscriber's.
    static func downstreamCode(forFetch error: MoQError) -> RequestErrorCode {
        error.requestError == .invalidRange ? .invalidRange : self.downstreamCode(for: error)
    }

    /// What a subscriber is told when the publisher refused the relay's own SUBSCRIBE.
    static func downstreamCode(for error: MoQError) -> RequestErrorCode {
        guard let code = error.requestError else {
            return .internalError
        }
        switch code {
        case .unauthorized, .timeout, .notSupported, .excessiveLoad, .doesNotExist, .malformedTrack, .uninterested,
            .unsupportedExtension, .goingAway:
            return code
        case .internalError, .malformedAuthToken, .expiredAuthToken, .invalidRange, .duplicateSubscription,
            .prefixOverlap, .namespaceTooLarge, .invalidJoiningRequestID, .noObjects, .unknownStatusInRange, .redirect,
            .unknown:
            // These are about the relay's request, not about the subscriber's.
            return .internalError
        }
    }
}
