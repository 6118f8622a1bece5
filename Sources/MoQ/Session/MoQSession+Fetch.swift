// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop

// FETCH, in both roles.
extension MoQSession {
    /// Fetches a range of a track (draft-18 §10.12, "FETCH").
    ///
    /// `response` is called once, on the loop, never from inside this call. After a success `consumer` gets the objects
    /// and, once and last, ``FetchConsumer/fetchEnded(_:)``; after a failure it is not used at all. `consumer` is kept
    /// until then.
    @discardableResult
    public func fetch(
        _ request: FetchRequest,
        consumer: any FetchConsumer,
        response: @escaping (Result<FetchOk, MoQError>) -> Void
    ) -> FetchReceiver {
        let receiver = FetchReceiver(
            session: self,
            track: request.track,
            target: .standalone(track: request.track, start: request.start, end: request.end),
            parameters: request.parameters,
            consumer: consumer,
            response: response
        )
        if FetchRange(start: request.start, end: request.end) == nil {
            self.failLater(receiver, .notExpressible, "the range ends before it starts")
        } else {
            self.launch(receiver)
        }
        return receiver
    }

    /// How long a joining fetch waits for a subscription that it overtook on its way.
    private static let overtakingAllowance = Duration.milliseconds(500)

    /// A FETCH of the peer.
    func receive(_ request: Fetch, _ link: RequestLink) throws(ProtocolViolation) {
        switch request.target {
        case .standalone(let track, let start, let end):
            guard let range = FetchRange(start: start, end: end) else {
                link.refuse(.invalidRange, reason: "the range ends before it starts")
                return
            }
            self.begin(request, link, track: track, range: range)
        case .relativeJoining(let id, _), .absoluteJoining(let id, _):
            let join = WaitingJoin(link: link, request: request)
            self.heldJoins.removeAll { !$0.join.isPending }
            self.register(join, link)
            if let publisher = self.requests[id] as? TrackPublisher {
                try publisher.receive(join)
            } else if self.mayArriveLater(id), self.heldJoins.count < self.configuration.maxHeldStreams {
                self.heldJoins.append((id, join))
                join.wait(for: Self.overtakingAllowance)
            } else {
                join.refuse(.invalidJoiningRequestID, reason: "there is no such subscription")
            }
        }
    }

    /// Whether the request with this id can be on its way: requests with streams of their own overtake each other.
    private func mayArriveLater(_ id: RequestID) -> Bool {
        self.profile.controlShape == .pairWithRequestStreams && id.issuer != self.role && !self.ledger.hasSeen(id)
    }

    /// The subscription that a joining fetch overtook has arrived.
    func deliverHeldJoins(of publisher: TrackPublisher, _ id: RequestID) throws(ProtocolViolation) {
        let joins = self.heldJoins.filter { $0.id == id }
        guard !joins.isEmpty else {
            return
        }
        self.heldJoins.removeAll { $0.id == id }
        for (_, join) in joins where join.isPending {
            join.stopWaiting()
            try publisher.receive(join)
        }
    }

    /// Hands a FETCH whose range is known to the handler.
    func begin(
        _ request: Fetch,
        _ link: RequestLink,
        track: FullTrackName,
        range: FetchRange,
        heldUpdates: [RequestUpdate] = []
    ) {
        if let refusal = self.refusal(of: .fetch, track: track, tokens: request.tokens) {
            for _ in heldUpdates {
                self.peerRequestEnded()
            }
            link.refuse(refusal.code, reason: refusal.reason)
            return
        }
        let publisher = FetchPublisher(
            link: link,
            request: request,
            track: track,
            range: range,
            heldUpdates: heldUpdates
        )
        self.register(publisher, link)
        let question = IncomingFetch(entry: publisher, request: request)
        if let source = self.sources.source(of: track), source.servesFetches {
            source.receive(question)
        } else {
            self.handler?.session(self, didReceive: question)
        }
    }
}

extension Subscription {
    /// Fetches what came before the subscription: from `start` on up to where it began, so that nothing is missing and
    /// nothing comes twice (draft-18 §10.12.2, "Joining Fetches").
    ///
    /// The subscription must have been sent and not be over. Up to draft 16 its filter must be
    /// `SubscriptionFilter.nextObject`; later its forward state must be 1, or the publisher refuses. Everything else is
    /// as in ``MoQSession/fetch(_:consumer:response:)``.
    @discardableResult
    public func fetch(
        from start: JoiningStart,
        parameters: FetchParameters = FetchParameters(),
        consumer: any FetchConsumer,
        response: @escaping (Result<FetchOk, MoQError>) -> Void
    ) -> FetchReceiver {
        // Without an id the fetch is not sent, so that it does not matter which one stands in its place.
        let id = self.requestID
        let target: FetchTarget =
            switch start {
            case .groupsBack(let count): .relativeJoining(subscription: id ?? RequestID(0), groupsBack: count)
            case .group(let group): .absoluteJoining(subscription: id ?? RequestID(0), startGroup: group)
            }
        let receiver = FetchReceiver(
            session: self.session,
            track: self.track,
            target: target,
            joined: self,
            parameters: parameters,
            consumer: consumer,
            response: response
        )
        let needsFilter = self.session.profile.joiningRule == .largestObjectFilter
        if id == nil || self.state == .ended {
            self.session.failLater(receiver, .invalidState, "the subscription was not sent, or is over")
        } else if needsFilter, self.wanted.filter != .nextObject {
            self.session.failLater(receiver, .invalidState, "the filter of the subscription is not Largest Object")
        } else {
            self.session.launch(receiver)
        }
        return receiver
    }
}
