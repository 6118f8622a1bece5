// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import DequeModule
internal import MoQProtocol
public import MoQWire
internal import PacketLoop
internal import WebTransport

// What this side asks for.
extension MoQSession {
    /// Subscribes to a track (draft-18 §5.1, "Subscriptions").
    ///
    /// `response` is called once, on the loop, never from inside this call. After a success `consumer` gets the objects
    /// and, once and last, ``TrackConsumer/trackEnded(_:)``; after a failure it is not used at all. `consumer` is kept
    /// until then.
    @discardableResult
    public func subscribe(
        _ request: SubscribeRequest,
        consumer: any TrackConsumer,
        response: @escaping (Result<SubscribeOk, MoQError>) -> Void
    ) -> Subscription {
        let subscription = Subscription(session: self, request: request, consumer: consumer, response: response)
        if self.subscribedTracks[request.track] != nil || self.isWaiting(.subscribe, for: request.track) {
            self.failLater(subscription, .duplicateSubscription, "there is a subscription to \(request.track) already")
        } else {
            self.launch(subscription)
        }
        return subscription
    }

    /// Offers a track to the peer (draft-18 §10.10, "PUBLISH").
    ///
    /// `response` is called once, on the loop, never from inside this call. Objects may be given to the publisher at any
    /// time; as long as the peer has not accepted, or does not want them forwarded, they are dropped and counted.
    @discardableResult
    public func publish(
        _ request: PublishRequest,
        response: @escaping (Result<PublishOkInfo, MoQError>) -> Void
    ) -> TrackPublisher {
        let publisher = TrackPublisher(session: self, request: request, response: response)
        if self.publishedTracks.contains(request.track) || self.isWaiting(.publish, for: request.track) {
            self.failLater(publisher, .duplicateSubscription, "the peer has a subscription to \(request.track) already")
        } else {
            self.launch(publisher)
        }
        return publisher
    }

    /// Announces a namespace (draft-18 §10.15, "PUBLISH_NAMESPACE").
    ///
    /// `response` is called once, on the loop, never from inside this call. The announcement stands until it is
    /// withdrawn, whether or not the result is kept.
    @discardableResult
    public func publishNamespace(
        _ namespace: TrackNamespace,
        tokens: [AuthorizationToken] = [],
        response: @escaping (Result<Void, MoQError>) -> Void
    ) -> NamespacePublication {
        let publication = NamespacePublication(
            session: self,
            namespace: namespace,
            tokens: tokens,
            response: response
        )
        self.launch(publication)
        return publication
    }

    /// Asks which namespaces exist under a prefix, now and later (draft-18 §10.18, "SUBSCRIBE_NAMESPACE").
    ///
    /// `response` is called once, on the loop, never from inside this call. After a success `events` is called with every
    /// change and, once and last, with ``NamespaceEvent/ended(_:)``.
    ///
    /// Draft 14 reports namespaces with PUBLISH_NAMESPACE: every one of the peer that begins with the prefix counts as a
    /// report from then on, is accepted, and does not reach the ``MoQSessionHandler``.
    @discardableResult
    public func subscribeNamespace(
        _ prefix: TrackNamespace,
        tokens: [AuthorizationToken] = [],
        events: @escaping (NamespaceEvent) -> Void,
        response: @escaping (Result<Void, MoQError>) -> Void
    ) -> NamespaceSubscription {
        let subscription = NamespaceSubscription(
            session: self,
            prefix: prefix,
            interest: .namespaces,
            forward: nil,
            tokens: tokens,
            events: events,
            response: response
        )
        self.launch(subscription)
        return subscription
    }

    /// Asks for a PUBLISH of every track below a prefix, now and later (draft-18 §10.19, "SUBSCRIBE_TRACKS"; up to
    /// draft 16 a SUBSCRIBE_NAMESPACE that is interested in tracks, which in draft 14 brings the namespaces as well).
    ///
    /// The tracks come through the ``MoQSessionHandler``, like any other PUBLISH. `forward` is the forward
    /// state that they are offered with, true when it is nil. `response` is called once, on the loop, never from inside
    /// this call. After a success `events` is called with every track that cannot be offered and, once and last, with
    /// ``NamespaceEvent/ended(_:)``.
    @discardableResult
    public func subscribeTracks(
        _ prefix: TrackNamespace,
        forward: Bool? = nil,
        tokens: [AuthorizationToken] = [],
        events: @escaping (NamespaceEvent) -> Void,
        response: @escaping (Result<Void, MoQError>) -> Void
    ) -> NamespaceSubscription {
        let subscription = NamespaceSubscription(
            session: self,
            prefix: prefix,
            interest: .tracks,
            forward: forward,
            tokens: tokens,
            events: events,
            response: response
        )
        self.launch(subscription)
        return subscription
    }

    /// Asks about a track without subscribing to it (draft-18 §10.14, "TRACK_STATUS").
    ///
    /// `response` is called once, on the loop, never from inside this call. A success says what a SUBSCRIBE_OK would say:
    /// the largest location and, from draft 18 on, the properties of the track.
    @discardableResult
    public func trackStatus(
        of track: FullTrackName,
        tokens: [AuthorizationToken] = [],
        response: @escaping (Result<RequestOk, MoQError>) -> Void
    ) -> TrackStatusQuery {
        let query = TrackStatusQuery(session: self, track: track, tokens: tokens, response: response)
        self.launch(query)
        return query
    }

    /// Follows a prefix, unless it overlaps with another one that is followed with the same kind of request.
    private func launch(_ subscription: NamespaceSubscription) {
        if self.follows(subscription.prefix, besides: subscription) {
            let text = "\(subscription.prefix) overlaps with another prefix of the session"
            self.failLater(subscription, .prefixOverlap, text)
        } else {
            self.namespaceSubscriptions.append(subscription)
            self.launch(subscription as any OutgoingRequest)
        }
    }

    /// Whether another subscription of the same kind follows a prefix that overlaps with this one, or is about to.
    func follows(_ prefix: TrackNamespace, besides subscription: NamespaceSubscription) -> Bool {
        self.namespaceSubscriptions.contains {
            $0 !== subscription && $0.kind == subscription.kind && $0.isAbout(prefix)
        }
    }

    /// Whether a request of this kind for this track has not gone out yet.
    private func isWaiting(_ kind: RequestKind, for track: FullTrackName) -> Bool {
        self.waiting.contains { $0.kind == kind && $0.requestedTrack == track }
    }

    // MARK: Launching

    /// Sends a request as soon as that is possible. `extra` may wait on top of what is configured.
    func launch(_ request: any OutgoingRequest, beyondLimit extra: Int = 0) {
        self.loop.assertOnLoop()
        guard self.isOpen else {
            self.failLater(request, .sessionClosed, "the session is closed")
            return
        }
        guard !self.machine.hasReceivedGoaway else {
            self.failLater(request, .goingAway, "the peer sent GOAWAY")
            return
        }
        guard self.waiting.count < self.configuration.maxWaitingRequests + extra else {
            self.failLater(request, .requestLimit, "\(self.waiting.count) requests wait for the peer's permission")
            return
        }
        self.waiting.append(request)
        self.launchWaiting()
    }

    /// Fails a request that cannot be made, but not from inside the call that makes it.
    func failLater(_ request: any OutgoingRequest, _ code: MoQError.Code, _ message: String) {
        let error = MoQError(code: code, message: message)
        _ = self.loop.schedule(after: .zero) {
            request.launchFailed(error)
        }
    }

    /// Fails the requests that wait.
    func failWaiting(_ error: MoQError) {
        let requests = self.waiting
        self.waiting = []
        for request in requests where !request.isWithdrawn {
            request.launchFailed(error)
        }
    }

    /// A request that waited was cancelled.
    func withdraw(_ request: any OutgoingRequest) {
        self.waiting.removeAll { $0 === request }
    }

    /// Sends the requests that wait, in order, as far as the peer permits.
    func launchWaiting() {
        while self.state == .established, let request = self.waiting.first {
            // What the draft cannot say is found out before an id is spent on it.
            var message = request.openingMessage(id: self.allocator.nextID)
            var registry = self.tokenRegistry
            let bytes: [UInt8]
            do throws(MoQWireError) {
                try self.shortenTokens(of: &message, &registry)
                bytes = try self.encode(message)
            } catch {
                self.waiting.removeFirst()
                self.failLater(request, .notExpressible, error.reason)
                continue
            }
            guard self.allocator.canAllocate else {
                self.announceBlocked()
                return
            }
            self.waiting.removeFirst()
            guard let stream = self.makeRequestStream(for: request) else {
                continue
            }
            guard case .allocated(let id) = self.allocator.allocate() else {
                return
            }
            self.tokenRegistry = registry
            if stream !== self.control {
                stream.begin(request.kind, id: id)
                stream.request = request
            }
            self.requests[id] = request
            if self.profile.namespacesStandForRequests, case .publishNamespace(let announcement) = message {
                self.announcements[self.role, default: [:]][announcement.namespace] = id
            }
            request.launched(
                RequestLink(
                    session: self,
                    id: id,
                    kind: request.kind,
                    isOurs: true,
                    stream: stream,
                    namespace: message.namespace
                )
            )
            guard stream.queuedByteCount <= Self.maximumQueuedControlBytes else {
                // Later, because whoever makes a request must not hear of its end from inside that call.
                _ = self.loop.schedule(after: .zero) { [weak self] in
                    self?.close(.internalError, reason: "the peer does not read its control messages")
                }
                return
            }
            try? stream.write(bytes)
            self.totals.messagesSent &+= 1
            if stream !== self.control {
                stream.activate()
            }
        }
    }

    private func announceBlocked() {
        guard case .blocked(let limit?) = self.allocator.allocate(), let control = self.control else {
            return
        }
        self.send(.requestsBlocked(RequestsBlocked(maximum: limit)), on: control)
    }

    private func makeRequestStream(for request: any OutgoingRequest) -> MessageStream? {
        guard self.profile.hasOwnStream(request.kind) else {
            return self.control
        }
        do throws(WebTransportError) {
            let pair = try self.transport.openBidirectionalStream(priority: .request)
            return MessageStream(
                session: self,
                output: pair.send,
                input: pair.receive,
                purpose: .undecided,
                isOpenedByUs: true
            )
        } catch {
            self.failLater(request, error.code == .streamLimit ? .streamLimit : .sessionClosed, error.message)
            return nil
        }
    }

    /// The id that a REQUEST_UPDATE of ours would have now.
    var nextRequestID: RequestID {
        self.allocator.nextID
    }

    /// Takes an id for a REQUEST_UPDATE of ours, or fails clearly when the peer permits none.
    func allocateUpdate() -> RequestID? {
        switch self.allocator.allocate() {
        case .allocated(let id):
            return id
        case .blocked(let announce):
            if let announce, let control = self.control {
                self.send(.requestsBlocked(RequestsBlocked(maximum: announce)), on: control)
            }
            return nil
        }
    }
}

extension TrackNamespace {
    /// Whether one of the two begins with the other.
    func overlaps(_ other: TrackNamespace) -> Bool {
        self.hasPrefix(other) || other.hasPrefix(self)
    }
}
