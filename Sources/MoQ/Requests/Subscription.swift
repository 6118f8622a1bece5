// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop
internal import WebTransport

/// A subscription in which this side is the subscriber, begun with SUBSCRIBE or by accepting a PUBLISH. Loop only.
///
/// It need not be kept: the session keeps it as long as it lives. It ends exactly once, with a failed response or with
/// ``TrackConsumer/trackEnded(_:)``.
public final class Subscription {
    /// Where a subscription is.
    public enum State: Hashable, Sendable {
        /// Not answered, possibly not even sent.
        case pending
        /// Objects may come, also after PUBLISH_DONE.
        case active
        /// Over.
        case ended
    }

    /// The track.
    public let track: FullTrackName
    /// The session.
    public let session: MoQSession
    /// What stands for the track on streams, once the subscription is active.
    public internal(set) var trackAlias: TrackAlias?
    /// The largest location that the publisher named when it answered.
    public internal(set) var largestObject: Location?
    /// The properties of the track.
    public internal(set) var properties = PropertyList()
    /// Whether this side has paused the flow with ``pause()``.
    public internal(set) var isPaused = false

    /// The priority of subgroups that do not carry one.
    private(set) var defaultPublisherPriority: UInt8 = 128
    private(set) var consumer: (any TrackConsumer)?
    let request: SubscribeRequest
    /// What was asked for last.
    var wanted: SubscriptionParameters
    var machine: SubscriptionMachine
    var link: RequestLink?
    var response: ((Result<SubscribeOk, MoQError>) -> Void)?
    let updates = OutgoingUpdates()
    /// Judges what comes.
    var integrity: TrackIntegrity
    private var streams: [IngressStream] = []
    private var graceTimer: LoopTimer?
    /// Bytes received in total, and how many there were when the grace period began.
    private var bytesReceived: UInt64 = 0
    private var bytesAtGraceStart: UInt64 = 0

    init(
        session: MoQSession,
        request: SubscribeRequest,
        consumer: any TrackConsumer,
        response: @escaping (Result<SubscribeOk, MoQError>) -> Void
    ) {
        self.session = session
        self.track = request.track
        self.request = request
        self.wanted = request.parameters
        self.consumer = consumer
        self.response = response
        self.machine = SubscriptionMachine(session.configuration)
        self.integrity = TrackIntegrity(profile: session.profile)
    }

    /// Makes the subscription that accepting a PUBLISH begins.
    init(
        accepting publish: Publish,
        link: RequestLink,
        parameters: SubscriptionParameters,
        consumer: any TrackConsumer
    ) {
        self.session = link.session
        self.track = publish.track
        self.request = SubscribeRequest(track: publish.track, parameters: parameters)
        self.wanted = parameters
        self.link = link
        self.consumer = consumer
        self.trackAlias = publish.trackAlias
        self.largestObject = publish.largestObject
        self.properties = publish.properties
        self.machine = SubscriptionMachine(link.session.configuration)
        self.integrity = TrackIntegrity(profile: link.session.profile)
    }

    /// Where the subscription is.
    public var state: State {
        switch self.machine.state {
        case .pending: .pending
        case .established, .draining: .active
        case .ended: .ended
        }
    }

    /// The id of the request, once it was sent.
    public var requestID: RequestID? {
        self.link?.id
    }

    /// How many data streams of the subscription have been seen.
    public var streamCount: UInt64 {
        self.machine.streamsSeen
    }

    /// Ends the subscription.
    ///
    /// Before the answer, the response fails with ``MoQError/Code/cancelled``; after it, subgroups that are open are
    /// reset and the consumer is told that the track ended, all before this returns.
    public func cancel() {
        self.cancel(MoQError(code: .cancelled, message: "the subscription was cancelled"))
    }

    func cancel(_ error: MoQError) {
        let action = self.machine.cancel()
        guard action != .nothing else {
            return
        }
        if let link = self.link {
            if action == .endLocally {
                link.retire()
            } else {
                link.cancel()
            }
        } else {
            self.session.withdraw(self)
        }
        if action == .cancel(wasEstablished: false) {
            self.fail(error, .cancelled)
        } else {
            self.end(TrackEnd(cause: .cancelled, status: .internalError, reason: error.message))
        }
    }

    /// Changes what the subscriber wants (draft-18 §10.9, "REQUEST_UPDATE"). What is nil stays as it is.
    ///
    /// `response` is called once, on the loop; it fails at once when the subscription is not active, when too many
    /// updates wait for their answers, or when the peer permits no further request. Draft 14 has no answer: there the
    /// response succeeds when the update went out, and `filter` can only narrow what was asked for before, in absolute
    /// numbers. `tokens` are what allows the update; those that are configured for all requests do not come with updates.
    public func update(
        forward: Bool? = nil,
        priority: UInt8? = nil,
        filter: SubscriptionFilter? = nil,
        objectDeliveryTimeout: UInt64? = nil,
        subgroupDeliveryTimeout: UInt64? = nil,
        newGroupRequest: UInt64? = nil,
        tokens: [AuthorizationToken] = [],
        response: ((Result<RequestOk, MoQError>) -> Void)? = nil
    ) {
        guard let link = self.link, self.machine.state == .established else {
            response?(.failure(MoQError(code: .invalidState, message: "the subscription is not active")))
            return
        }
        let changes = SubscriptionParameters(
            subscriberPriority: priority,
            forward: forward,
            filter: filter,
            objectDeliveryTimeout: objectDeliveryTimeout,
            subgroupDeliveryTimeout: subgroupDeliveryTimeout,
            newGroupRequest: newGroupRequest
        )
        guard let parameters = self.parameters(for: changes) else {
            response?(.failure(MoQError(code: .notExpressible, message: "the draft has no such update")))
            return
        }
        self.updates.send(parameters, tokens: tokens, of: self, over: link, response: response) {
            self.wanted.subscriberPriority = priority ?? self.wanted.subscriberPriority
            self.wanted.forward = forward ?? self.wanted.forward
            self.wanted.filter = filter ?? self.wanted.filter
        }
    }

    /// The parameters that ask for these changes; nil when they cannot be had.
    private func parameters(for changes: SubscriptionParameters) -> SubscriptionParameters? {
        guard !self.session.profile.updatesAreAnswered else {
            return changes
        }
        // Such an update says everything anew.
        var parameters = changes
        var range = NarrowingRange(self.wanted.filter, communicated: self.largestObject)
        if let filter = changes.filter {
            guard range.narrow(to: filter) else {
                return nil
            }
        }
        parameters.subscriberPriority = changes.subscriberPriority ?? self.wanted.subscriberPriority ?? 128
        parameters.forward = changes.forward ?? self.wanted.forward ?? true
        parameters.filter = range.filter()
        return parameters
    }

    /// Stops reading all data streams of the subscription. Their windows close, so that the publisher has to wait; what
    /// is under way is kept. Datagrams still come.
    public func pause() {
        guard !self.isPaused, self.state != .ended else {
            return
        }
        self.isPaused = true
        for stream in self.streams {
            stream.pause()
        }
    }

    /// Reads on.
    public func resume() {
        guard self.isPaused else {
            return
        }
        self.isPaused = false
        // Reading may end streams, or pause again.
        for stream in self.streams where !self.isPaused {
            stream.resume()
        }
    }

    // MARK: Streams

    /// A data stream belongs to this subscription.
    func attach(_ stream: IngressStream) {
        stream.index = self.streams.count
        self.streams.append(stream)
        self.machine.streamOpened()
        if self.isPaused {
            stream.pause()
        }
    }

    /// A data stream is over.
    func detach(_ stream: IngressStream) {
        guard stream.index < self.streams.count, self.streams[stream.index] === stream else {
            return
        }
        let last = self.streams.removeLast()
        if last !== stream {
            last.index = stream.index
            self.streams[stream.index] = last
        }
        self.perform(self.machine.streamEnded())
    }

    /// Bytes came on one of the streams.
    func countReceived(_ count: Int) {
        self.bytesReceived &+= UInt64(count)
    }

    /// An object came in a datagram.
    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        guard self.state == .active else {
            return
        }
        self.machine.datagramArrived()
        do throws(MalformedTrack) {
            try self.integrity.receive(
                datagram,
                payload: payload.span,
                priority: datagram.publisherPriority ?? self.defaultPublisherPriority
            )
        } catch {
            self.malformed(error)
            return
        }
        self.consumer?.receive(datagram, payload: payload)
    }

    // MARK: Accepting a PUBLISH

    /// Answers PUBLISH_OK and takes the place of the offer.
    func acceptOffer(parameters: SubscriptionParameters) {
        guard let link = self.link, let alias = self.trackAlias else {
            return
        }
        if let other = self.session.subscribedTracks[self.track] {
            guard other.state == .pending else {
                link.refuse(.duplicateSubscription, reason: "there is a subscription to this track already")
                self.acceptFailed()
                return
            }
            other.cancel(MoQError(code: .superseded, message: "the peer's PUBLISH was accepted instead"))
        }
        var answer = parameters
        if self.session.profile.messageForm == .fields {
            // The answer has to say an order, and the publisher's own is the default.
            answer.groupOrder = parameters.groupOrder ?? self.properties.defaultPublisherGroupOrder ?? .ascending
        }
        guard link.send(.publishOk(PublishOk(requestID: link.id, parameters: answer))) else {
            link.refuse(.internalError, reason: "the answer cannot be expressed")
            self.acceptFailed()
            return
        }
        self.session.requests[link.id] = self
        if link.stream.isRequestStream {
            link.stream.request = self
        }
        do throws(ProtocolViolation) {
            try self.activate(alias)
            self.session.deliverHeldStreams(of: self, alias)
        } catch {
            self.session.close(error)
        }
    }

    /// The offer was gone.
    func acceptFailed() {
        _ = self.machine.terminated()
        let consumer = self.consumer
        self.consumer = nil
        _ = self.session.loop.schedule(after: .zero) {
            consumer?.trackEnded(
                TrackEnd(cause: .cancelledByPeer, status: .internalError, reason: "the offer was gone")
            )
        }
    }

    func activate(_ alias: TrackAlias) throws(ProtocolViolation) {
        if self.machine.state == .pending {
            try self.session.claim(alias, for: self)
        }
        try self.machine.accepted()
        self.trackAlias = alias
        self.defaultPublisherPriority = self.properties.defaultPublisherPriority ?? 128
        self.session.subscribedTracks[self.track] = self
        self.session.totals.liveSubscriptions += 1
    }

    // MARK: Ending

    func perform(_ action: SubscriptionMachine.Action) {
        switch action {
        case .none:
            break
        case .wait(let instant):
            self.bytesAtGraceStart = self.bytesReceived
            self.graceTimer?.cancel()
            let deadline = LoopInstant(microseconds: instant.microseconds)
            self.graceTimer = self.session.loop.schedule(at: deadline) { [weak self] in
                self?.graceTimerFired()
            }
        case .end(let done):
            self.link?.retire()
            self.end(
                TrackEnd(
                    cause: .publishDone,
                    status: done.status,
                    streamCount: done.streamCount,
                    reason: done.reason
                )
            )
        }
    }

    private func graceTimerFired() {
        let isHeldBack = self.isPaused && !self.streams.isEmpty
        let hasProgress = isHeldBack || self.bytesReceived != self.bytesAtGraceStart
        let now = MonotonicInstant(microseconds: self.session.loop.now.microseconds)
        self.perform(self.machine.graceTimerFired(now: now, hasProgress: hasProgress))
    }

    /// Ends a subscription that has not become active.
    func fail(_ error: MoQError, _ cause: TrackEnd.Cause = .cancelledByPeer) {
        self.forget()
        self.session.dropHeldDatagrams()
        let consumer = self.consumer
        self.consumer = nil
        guard let response = self.response else {
            // Who accepts an offer has nothing but a consumer that could be told.
            consumer?.trackEnded(TrackEnd(cause: cause, status: .internalError, reason: error.message))
            return
        }
        self.response = nil
        response(.failure(error))
    }

    /// Ends a subscription that was active.
    func end(_ end: TrackEnd) {
        self.session.totals.liveSubscriptions -= 1
        self.forget()
        let streams = self.streams
        self.streams = []
        let code: StreamResetCode =
            switch end.cause {
            case .sessionClosed: .sessionClosed
            case .malformed: .malformedTrack
            case .publishDone, .cancelledByPeer, .cancelled: .cancelled
            }
        for stream in streams {
            stream.stop(code)
        }
        for response in self.updates.takeAll(of: self.session) {
            response(.failure(MoQError(code: .invalidState, message: "the subscription ended")))
        }
        let consumer = self.consumer
        self.consumer = nil
        consumer?.trackEnded(end)
    }

    /// The objects break the rules of the object model (draft-18 §2.4.4, "Malformed Tracks"): the subscription is over, and
    /// with it whatever else this side asked of the track.
    func malformed(_ error: MalformedTrack) {
        let action = self.machine.cancel()
        guard action != .nothing else {
            return
        }
        if action == .endLocally {
            self.link?.retire()
        } else if let link = self.link {
            link.cancel(.malformedTrack)
        } else {
            self.session.withdraw(self)
        }
        self.session.totals.malformedTracks &+= 1
        if action == .cancel(wasEstablished: false) {
            // A fetch of the same track has found out.
            self.fail(MoQError(code: .cancelledByPeer, message: error.reason), .malformed)
        } else {
            self.end(TrackEnd(cause: .malformed, status: .malformedTrack, reason: error.reason))
        }
        self.session.endRequests(forMalformed: self.track, error)
    }

    private func forget() {
        self.graceTimer?.cancel()
        self.graceTimer = nil
        if self.session.subscribedTracks[self.track] === self {
            self.session.subscribedTracks[self.track] = nil
        }
        if let alias = self.trackAlias, self.session.aliases[alias] === self {
            self.session.aliases[alias] = nil
            self.session.retireAlias(alias)
        }
    }

    /// The subscription is lost without PUBLISH_DONE.
    func lost(_ reason: String) {
        let state = self.machine.terminated()
        self.link?.retire()
        switch state {
        case .pending:
            self.fail(MoQError(code: .cancelledByPeer, message: reason))
        case .established, .draining:
            self.end(TrackEnd(cause: .cancelledByPeer, status: .internalError, reason: reason))
        case .ended:
            break
        }
    }
}

extension SubscriptionMachine {
    /// A machine that waits as long as a session is configured to.
    fileprivate init(_ configuration: MoQSessionConfiguration) {
        self.init(
            gracePeriod: configuration.publishDoneTimeout,
            datagramGracePeriod: configuration.lateDatagramTimeout
        )
    }
}
