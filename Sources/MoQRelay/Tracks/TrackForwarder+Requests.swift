// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// Who wants a track, and what they are told.
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
        guard !owner.isUpstream || !self.comesFromAbove else {
            // An upstream relay wants what another one, or it itself, is to bring.
            self.ledger.counters.tracksNotFound &+= 1
            request.reject(.doesNotExist, reason: "nobody publishes the track here")
            return
        }
        guard !self.isEstablished(for: owner) else {
            self.accept(request, from: owner)
            return
        }
        let patience = self.relay?.rendezvousTime(of: request)
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
        let subscriber = WaitingSubscriber(
            owner: owner,
            request: request,
            patience: patience,
            now: self.ledger.loop.now
        )
        self.waiting.append(subscriber)
        if !owner.isSibling {
            self.ledger.counters.live.pendingSubscribers += 1
        }
        owner.subscriptions[self.name] = .waiting(subscriber)
        request.onCancelled = { [weak self, weak subscriber] in
            guard let self, let subscriber else {
                return
            }
            self.removeWaiting(subscriber)
            self.settle()
        }
        if self.isAwaitingPublisher {
            self.awaitPublisher(for: subscriber)
            self.askUpstreamToWait()
        }
    }

    /// Where no publisher of this shard has the track, another shard is not served: those are asked that can be, and when
    /// there is nobody, it is told so. Which ends what two shards would otherwise go on to want for each other.
    func turnSiblingsAway() {
        let waiting = self.waiting.filter(\.owner.isSibling)
        guard !waiting.isEmpty || self.siblingSubscribers > 0, !self.isOver, !self.isAwaitingPublisher,
            !self.hasOwnPublisher, !self.askHere()
        else {
            return
        }
        let subscribers = self.subscribers.filter(\.isSibling)
        for subscriber in waiting {
            self.removeWaiting(subscriber)
            subscriber.request.reject(.doesNotExist, reason: "nobody publishes the track at this shard")
        }
        let ending = self.ending ?? (.internalError, "the publisher is gone")
        for subscriber in subscribers {
            self.remove(subscriber, reset: .cancelled)
            subscriber.publisher.end(ending.status, reason: ending.reason)
        }
    }

    /// Holds the request for as long as its subscriber is willing to wait.
    private func awaitPublisher(for subscriber: WaitingSubscriber) {
        subscriber.awaitPublisher(on: self.ledger.loop) { [weak self, weak subscriber] in
            guard let self, let subscriber else {
                return
            }
            self.removeWaiting(subscriber)
            self.ledger.counters.rendezvousTimeouts &+= 1
            subscriber.request.reject(.timeout, reason: "no publisher appeared")
            self.settle()
        }
    }

    /// Nobody who was asked has the track: who is not willing to wait is told so, and the others wait for somebody who has.
    /// - Returns: false when nobody is willing to wait.
    func awaitPublisher(insteadOf reason: String) -> Bool {
        let now = self.ledger.loop.now
        guard self.relay?.isDraining == false, self.waiting.contains(where: { $0.patience(at: now) > .zero }) else {
            return false
        }
        self.askedPublishers = []
        self.refusal = nil
        self.isAwaitingPublisher = true
        for subscriber in self.waiting {
            if subscriber.patience(at: now) > .zero {
                self.awaitPublisher(for: subscriber)
            } else {
                self.removeWaiting(subscriber)
                self.ledger.counters.tracksNotFound &+= 1
                subscriber.request.reject(.doesNotExist, reason: reason)
            }
        }
        self.askUpstreamToWait()
        return true
    }

    /// Nobody new is waited for: the relay is going away.
    func stopAwaitingPublisher() {
        guard self.isAwaitingPublisher else {
            return
        }
        let feeds = self.upstreams
        for feed in feeds {
            self.drop(feed)
        }
        self.finish()
        self.rejectWaiting(.goingAway, reason: "the relay is going away")
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
        if !subscriber.owner.isSibling {
            self.ledger.counters.live.pendingSubscribers -= 1
        }
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
        self.requestGroup(request.request.parameters.newGroupRequest)
    }

    /// A subscriber asks for a new group, which the publishers are asked for in turn (draft-18 §10.2.13, "Relay Handling"),
    /// where their track can have one at any time and is not beyond that already.
    func requestGroup(_ value: UInt64?) {
        guard let value, self.properties.allowsDynamicGroups,
            value == 0 || self.largest.map({ value > $0.group }) ?? true
        else {
            return
        }
        for feed in self.upstreams where feed.state == .established {
            feed.requestGroup(value, largest: self.largest?.group)
        }
    }

    func acceptWaiting() {
        let waiting = self.waiting
        self.waiting = []
        for subscriber in waiting {
            guard self.isEstablished(for: subscriber.owner) else {
                self.waiting.append(subscriber)
                continue
            }
            self.forgetWaiting(subscriber)
            self.accept(subscriber.request, from: subscriber.owner)
        }
        self.settle()
    }

    func rejectWaiting(_ code: RequestErrorCode, reason: String) {
        let waiting = self.waiting
        self.waiting = []
        for subscriber in waiting {
            self.forgetWaiting(subscriber)
            subscriber.request.reject(code, reason: reason)
        }
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
