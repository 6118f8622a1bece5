// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop
public import WebTransport

/// A subscription in which this side is the publisher, begun by accepting a SUBSCRIBE or with PUBLISH. Loop only.
///
/// Objects go in through ``TrackConsumer``. One unidirectional stream carries one subgroup; payload is queued by
/// reference. What the subscriber does not want forwarded, and what its filter leaves out, is dropped and counted. A
/// subscriber that reads too slowly is cut off alone: its streams are reset and PUBLISH_DONE says TOO_FAR_BEHIND.
///
/// It need not be kept: the session keeps it until everything is delivered.
public final class TrackPublisher {
    /// The track.
    public let track: FullTrackName
    /// The session.
    public let session: MoQSession
    /// What stands for the track on streams.
    public let trackAlias: TrackAlias
    /// Who is told what happens.
    public weak var delegate: (any TrackPublisherDelegate)?
    /// The subscriber's priority, lower first.
    public private(set) var subscriberPriority: UInt8
    /// Which group goes first when there is not enough room for all.
    public private(set) var groupOrder: GroupOrder
    /// The largest location that was published here, or that was given at the start.
    public private(set) var largestObject: Location?
    /// What the subscriber has asked for, updates included.
    public private(set) var parameters: SubscriptionParameters
    /// Whether the queue is above the high watermark: the publisher should pause until
    /// ``TrackPublisherDelegate/trackPublisherDidDrain(_:)``.
    public private(set) var isAboveHighWatermark = false

    /// Called when the peer takes a SUBSCRIBE back before it was answered.
    var onCancelled: (() -> Void)?
    /// What the subscriber's filter lets through.
    private(set) var filter: ObjectFilter

    private let request: PublishRequest?
    private let tokens: [AuthorizationToken]
    private var machine: PublicationMachine
    private var link: RequestLink?
    private var response: ((Result<PublishOkInfo, MoQError>) -> Void)?
    private var isForwarding: Bool
    private var subgroups: [EgressSubgroup] = []
    private var newestGroup: UInt64 = 0
    private var plannedEnd = TrackPublisherEnd.finished
    private var heldUpdates: [RequestUpdate] = []
    private var isLive = false

    /// Bytes queued as far as known: exact when it was measured, more since then by what was written.
    private var queuedEstimate = 0
    private var nextMeasurement = 0
    private var takenByClosedStreams: UInt64 = 0
    private var takenAtLastCheck: UInt64 = 0
    private var stallTimer: LoopTimer?

    /// How many updates may wait for the answer to the request that they change.
    private static let maximumHeldUpdates = 64

    /// Makes the publisher that a SUBSCRIBE of the peer asks for.
    init(link: RequestLink, request: Subscribe) {
        self.session = link.session
        self.track = request.track
        self.link = link
        self.request = nil
        self.tokens = []
        self.parameters = request.parameters
        self.subscriberPriority = request.parameters.subscriberPriority ?? 128
        self.groupOrder = request.parameters.groupOrder ?? .ascending
        self.isForwarding = request.parameters.forward ?? true
        self.filter = ObjectFilter(nil, largest: nil)
        self.trackAlias = link.session.makeAlias()
        self.machine = PublicationMachine(origin: .requested)
        link.session.publishedTracks.insert(request.track)
    }

    /// Makes the publisher that a PUBLISH of ours offers.
    init(
        session: MoQSession,
        request: PublishRequest,
        response: @escaping (Result<PublishOkInfo, MoQError>) -> Void
    ) {
        self.session = session
        self.track = request.track
        self.request = request
        self.tokens = request.tokens
        self.parameters = SubscriptionParameters()
        self.subscriberPriority = 128
        self.groupOrder = request.properties.defaultPublisherGroupOrder ?? .ascending
        self.isForwarding = request.forward
        self.largestObject = request.largestObject
        self.filter = ObjectFilter(nil, largest: nil)
        self.trackAlias = session.makeAlias()
        self.response = response
        self.machine = PublicationMachine(origin: .offered)
    }

    /// Whether objects go out: the subscription is established, and the subscriber wants them forwarded.
    public var forward: Bool {
        self.isForwarding && self.machine.state == .established
    }

    /// Whether no more objects are taken.
    public var isEnded: Bool {
        switch self.machine.state {
        case .requested, .offered, .established: false
        case .ending, .done, .ended: true
        }
    }

    /// The id of the request, once there is one.
    public var requestID: RequestID? {
        self.link?.id
    }

    /// How many streams were opened for the subscription.
    public var streamCount: UInt64 {
        self.machine.streamCount
    }

    /// How many bytes wait to be handed to the transport. Counted anew with each call, over all open subgroups.
    public var queuedByteCount: Int {
        self.subgroups.reduce(0) { $0 + $1.queuedByteCount }
    }

    /// Ends the track for this subscriber: PUBLISH_DONE with the number of streams goes out as soon as all subgroups are
    /// finished or reset and have nothing left to send. No subgroup can begin any more; those that are open can go on.
    ///
    /// The delegate is told ``TrackPublisherEnd/finished`` when everything is delivered.
    public func end(_ status: PublishDoneStatus = .trackEnded, reason: String = "") {
        if self.link == nil, self.machine.state == .offered {
            self.withdrawOffer()
            return
        }
        self.perform(self.machine.end(status, reason: reason))
        self.watchForStall()
    }

    private func withdrawOffer() {
        _ = self.machine.cancelled()
        self.session.withdraw(self)
        self.respond(.failure(MoQError(code: .cancelled, message: "the offer was taken back")))
    }

    // MARK: Answering a SUBSCRIBE

    /// Whether the SUBSCRIBE waits for its answer.
    var isPending: Bool {
        self.machine.state == .requested
    }

    func accept(largest: Location?, expires: UInt64?, properties: PropertyList) {
        guard self.machine.state == .requested, let link = self.link else {
            return
        }
        self.largestObject = largest
        self.groupOrder = self.parameters.groupOrder ?? properties.defaultPublisherGroupOrder ?? .ascending
        self.filter = ObjectFilter(self.parameters.filter, largest: largest)
        guard !self.filter.isExhausted(largest: largest) else {
            self.reject(.invalidRange, reason: "everything in the range has been published", retryAfter: nil)
            return
        }
        let ok = SubscribeOk(
            requestID: link.id,
            trackAlias: self.trackAlias,
            expires: expires,
            largestObject: largest,
            properties: properties
        )
        guard link.send(.subscribeOk(ok)) else {
            self.reject(.internalError, reason: "the answer cannot be expressed", retryAfter: nil)
            return
        }
        self.onCancelled = nil
        _ = self.machine.accept()
        self.becomeLive()
        self.applyHeldUpdates()
    }

    func reject(_ code: RequestErrorCode, reason: String, retryAfter: UInt64?) {
        guard self.machine.reject() else {
            return
        }
        self.onCancelled = nil
        self.session.publishedTracks.remove(self.track)
        self.link?.refuse(code, reason: reason, retryAfter: retryAfter)
    }

    private func becomeLive() {
        self.isLive = true
        self.session.totals.livePublications += 1
    }

    // MARK: Ending

    private func perform(_ action: PublicationMachine.Action) {
        switch action {
        case .none:
            break
        case .sendDone(let status, let count, let reason, let isDelivered):
            let done = PublishDone(
                requestID: self.link?.id,
                status: status,
                streamCount: count,
                reason: ReasonPhrase(reason)
            )
            self.link?.send(.publishDone(done))
            self.link?.finish()
            self.link?.retire()
            self.forget()
            if isDelivered {
                self.tellEnd(self.plannedEnd)
            } else {
                self.session.lingering[ObjectIdentifier(self)] = self
            }
        case .delivered:
            self.session.lingering[ObjectIdentifier(self)] = nil
            self.tellEnd(self.plannedEnd)
        }
    }

    private func forget() {
        self.session.publishedTracks.remove(self.track)
        if self.isLive {
            self.isLive = false
            self.session.totals.livePublications -= 1
        }
    }

    private func tellEnd(_ end: TrackPublisherEnd) {
        self.stallTimer?.cancel()
        self.stallTimer = nil
        let delegate = self.delegate
        self.delegate = nil
        if let response = self.response {
            // A PUBLISH that ends before its answer never was a subscription.
            self.response = nil
            response(.failure(MoQError(code: .cancelled, message: "the offer was taken back")))
        }
        delegate?.trackPublisher(self, didEnd: end)
    }

    private func respond(_ result: Result<PublishOkInfo, MoQError>) {
        let response = self.response
        self.response = nil
        response?(result)
    }

    /// Resets what is open.
    private func resetStreams(_ code: StreamResetCode) {
        for subgroup in self.subgroups {
            subgroup.reset(code)
        }
    }

    /// The subscriber reads too slowly.
    func fellBehind(_ reason: String) {
        guard self.machine.state == .established || self.machine.state == .ending else {
            return
        }
        self.session.totals.subscribersTooFarBehind &+= 1
        self.plannedEnd = .tooFarBehind
        let action = self.machine.abort(.tooFarBehind, reason: reason)
        self.resetStreams(.tooFarBehind)
        self.perform(action)
    }

    private func cancelled(_ end: TrackPublisherEnd, _ error: MoQError, code: StreamResetCode) {
        let state = self.machine.cancelled()
        self.link?.retire()
        self.forget()
        self.session.lingering[ObjectIdentifier(self)] = nil
        self.resetStreams(code)
        switch state {
        case .requested:
            let onCancelled = self.onCancelled
            self.onCancelled = nil
            onCancelled?()
        case .offered:
            self.respond(.failure(error))
        case .established, .ending, .done:
            self.tellEnd(end)
        case .ended:
            break
        }
    }

    // MARK: Streams

    /// An object of this location was published, whether or not this subscriber gets it.
    func noteLargest(_ location: Location) {
        guard let largest = self.largestObject, largest >= location else {
            self.largestObject = location
            return
        }
    }

    /// Opens the stream of a subgroup.
    func openStream(for subgroup: EgressSubgroup) -> SendStream? {
        let description = subgroup.description
        if description.group > self.newestGroup {
            self.newestGroup = description.group
            if self.groupOrder == .descending {
                self.updatePriorities()
            }
        }
        do throws(WebTransportError) {
            let stream = try self.session.transport.openUnidirectionalStream(priority: self.priority(of: description))
            self.machine.streamOpened()
            self.session.totals.streamsOpened &+= 1
            self.session.totals.liveStreamsOut += 1
            return stream
        } catch {
            self.session.totals.subgroupsWithoutStream &+= 1
            return nil
        }
    }

    private func priority(of description: SubgroupDescription) -> StreamPriority {
        .media(
            subscriber: self.subscriberPriority,
            publisher: description.publisherPriority,
            isOlderGroup: self.groupOrder == .descending && description.group < self.newestGroup
        )
    }

    private func updatePriorities() {
        for subgroup in self.subgroups {
            subgroup.stream?.priority = self.priority(of: subgroup.description)
        }
    }

    /// A stream has nothing left to send.
    func streamClosed() {
        self.perform(self.machine.streamClosed())
    }

    /// A subgroup is over. `wasSent` says that ``streamClosed()`` was called for it.
    func remove(_ subgroup: EgressSubgroup, hadStream: Bool, wasSent: Bool) {
        if subgroup.index < self.subgroups.count, self.subgroups[subgroup.index] === subgroup {
            let last = self.subgroups.removeLast()
            if last !== subgroup {
                last.index = subgroup.index
                self.subgroups[subgroup.index] = last
            }
        }
        guard hadStream else {
            return
        }
        self.takenByClosedStreams &+= subgroup.stream?.bytesTaken ?? 0
        self.session.totals.liveStreamsOut -= 1
        if !wasSent {
            self.perform(self.machine.streamClosed())
        }
        self.perform(self.machine.streamDelivered())
        self.streamDidDrain()
    }

    // MARK: The bound

    /// Bytes were queued.
    func countQueued(_ count: Int) {
        self.queuedEstimate += count
        guard self.queuedEstimate > self.nextMeasurement else {
            return
        }
        self.measure()
    }

    private func measure() {
        let configuration = self.session.configuration
        self.queuedEstimate = self.queuedByteCount
        self.nextMeasurement = max(self.queuedEstimate, configuration.trackHighWatermark) + (64 << 10)
        if self.queuedEstimate > configuration.maxQueuedBytesPerTrack {
            self.fellBehind("\(self.queuedEstimate) bytes wait for a subscriber that does not read them")
            return
        }
        if self.queuedEstimate > configuration.trackHighWatermark, !self.isAboveHighWatermark {
            self.isAboveHighWatermark = true
            self.watchForStall()
        }
    }

    /// A stream drained or is gone.
    func streamDidDrain() {
        guard self.isAboveHighWatermark, self.machine.state == .established || self.machine.state == .ending else {
            return
        }
        self.queuedEstimate = self.queuedByteCount
        guard self.queuedEstimate <= self.session.configuration.trackLowWatermark else {
            return
        }
        self.nextMeasurement = self.session.configuration.trackHighWatermark
        self.isAboveHighWatermark = false
        self.delegate?.trackPublisherDidDrain(self)
    }

    private func watchForStall() {
        guard self.stallTimer == nil, self.mayStall else {
            return
        }
        self.takenAtLastCheck = self.bytesTaken
        self.stallTimer = self.session.loop.schedule(after: self.session.configuration.stallTimeout) { [weak self] in
            self?.stallTimerFired()
        }
    }

    private func stallTimerFired() {
        self.stallTimer = nil
        guard self.mayStall else {
            return
        }
        guard self.bytesTaken != self.takenAtLastCheck else {
            self.fellBehind("the subscriber has read nothing for too long")
            return
        }
        self.watchForStall()
    }

    /// Whether there is something to send that ought to move.
    private var mayStall: Bool {
        switch self.machine.state {
        case .established:
            return self.isAboveHighWatermark
        case .ending:
            return self.queuedByteCount > 0
        case .requested, .offered, .done, .ended:
            return false
        }
    }

    private var bytesTaken: UInt64 {
        self.subgroups.reduce(self.takenByClosedStreams) { $0 &+ ($1.stream?.bytesTaken ?? 0) }
    }

    // MARK: Counting

    func countObject() {
        self.session.totals.objectsSent &+= 1
    }

    func countPayload(_ count: Int) {
        self.session.totals.payloadBytesSent &+= UInt64(count)
        self.countQueued(count)
    }

    func countNotForwarded() {
        self.session.totals.objectsNotForwarded &+= 1
    }

    func countFiltered() {
        self.session.totals.objectsFiltered &+= 1
    }
}

extension TrackPublisher: TrackConsumer {
    /// Begins a subgroup for this subscriber. Nil when it gets nothing of it.
    public func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        guard self.forward else {
            self.session.totals.subgroupsNotForwarded &+= 1
            return nil
        }
        let verdict = self.filter.verdict(group: subgroup.group)
        switch verdict {
        case .before:
            self.session.totals.subgroupsFiltered &+= 1
            return nil
        case .after:
            self.session.totals.subgroupsFiltered &+= 1
            self.reachedEndOfRange()
            return nil
        case .inside, .partial:
            let egress = EgressSubgroup(publisher: self, description: subgroup, isPartial: verdict == .partial)
            egress.index = self.subgroups.count
            self.subgroups.append(egress)
            return egress
        }
    }

    /// Sends an object in a datagram. One that cannot be sent is dropped and counted.
    public func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        let location = Location(group: datagram.groupID, object: datagram.objectID)
        self.noteLargest(location)
        guard self.forward else {
            self.session.totals.objectsNotForwarded &+= 1
            return
        }
        guard self.filter.passes(location) else {
            self.session.totals.objectsFiltered &+= 1
            if self.filter.verdict(group: location.group) == .after {
                self.reachedEndOfRange()
            }
            return
        }
        if self.session.send(datagram, payload: payload, alias: self.trackAlias) {
            self.countObject()
            self.session.totals.payloadBytesSent &+= UInt64(payload.count)
        }
    }

    /// Ends the track for this subscriber in the same way, see ``end(_:reason:)``.
    public func trackEnded(_ end: TrackEnd) {
        self.end(end.status, reason: end.reason)
    }

    private func reachedEndOfRange() {
        self.plannedEnd = .rangeEnded
        self.end(.subscriptionEnded, reason: "the end of the range was reached")
    }
}

extension TrackPublisher: OutgoingRequest {
    var kind: RequestKind {
        .publish
    }

    var isWithdrawn: Bool {
        self.machine.state == .ended
    }

    func openingMessage(id: RequestID) -> MoQMessage {
        .publish(
            Publish(
                requestID: id,
                track: self.track,
                trackAlias: self.trackAlias,
                expires: self.request?.expires,
                largestObject: self.largestObject,
                forward: self.isForwarding ? nil : false,
                tokens: self.tokens,
                properties: self.request?.properties ?? PropertyList()
            )
        )
    }

    func launched(_ link: RequestLink) {
        self.link = link
        self.session.publishedTracks.insert(self.track)
    }

    func launchFailed(_ error: MoQError) {
        if self.machine.cancelled() != .ended {
            self.respond(.failure(error))
        }
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .publishOk(let ok):
            if try self.machine.offerAccepted() {
                self.offerAccepted(ok)
            }
        case .requestError(let error):
            if try self.machine.offerRejected() {
                self.link?.finish()
                self.link?.retire()
                self.forget()
                self.respond(.failure(MoQError(error)))
            }
        case .requestUpdate(let update):
            try TokenRules.checkRequest(update.tokens)
            try self.receive(update)
        case .unsubscribe:
            self.peerCancelled()
        default:
            throw .protocolViolation("message that does not belong to a subscription")
        }
    }

    private func offerAccepted(_ ok: PublishOk) {
        self.parameters = ok.parameters
        self.subscriberPriority = ok.parameters.subscriberPriority ?? 128
        self.groupOrder = ok.parameters.groupOrder ?? self.groupOrder
        self.isForwarding = ok.parameters.forward ?? true
        self.filter = ObjectFilter(ok.parameters.filter, largest: self.largestObject)
        self.becomeLive()
        self.applyHeldUpdates()
        self.respond(.success(PublishOkInfo(parameters: ok.parameters, expires: ok.expires)))
    }

    // MARK: Updates

    private func receive(_ update: RequestUpdate) throws(ProtocolViolation) {
        switch self.machine.state {
        case .requested, .offered:
            // An answer now would pass for the answer to the request.
            guard self.heldUpdates.count < Self.maximumHeldUpdates else {
                throw ProtocolViolation(.internalError, "too many updates of a request that is not answered")
            }
            self.heldUpdates.append(update)
        case .established:
            self.apply(update)
        case .ending, .done, .ended:
            self.link?.refuseUpdate(update.requestID, .doesNotExist, reason: "the subscription is ending")
        }
    }

    private func applyHeldUpdates() {
        let updates = self.heldUpdates
        self.heldUpdates = []
        for update in updates where self.machine.state == .established {
            self.apply(update)
        }
    }

    private func apply(_ update: RequestUpdate) {
        let wanted = update.parameters
        let wasForwarding = self.isForwarding
        if let filter = wanted.filter {
            let resolved = ObjectFilter(filter, largest: self.largestObject)
            guard !resolved.isExhausted(largest: self.largestObject) else {
                self.refuse(update)
                return
            }
            self.filter = resolved
            self.parameters.filter = filter
        }
        if let priority = wanted.subscriberPriority {
            self.parameters.subscriberPriority = priority
            self.subscriberPriority = priority
            self.updatePriorities()
        }
        if let forward = wanted.forward {
            self.parameters.forward = forward
            self.isForwarding = forward
        }
        self.parameters.objectDeliveryTimeout = wanted.objectDeliveryTimeout ?? self.parameters.objectDeliveryTimeout
        self.parameters.subgroupDeliveryTimeout =
            wanted.subgroupDeliveryTimeout ?? self.parameters.subgroupDeliveryTimeout
        self.parameters.newGroupRequest = wanted.newGroupRequest ?? self.parameters.newGroupRequest
        self.link?.acceptUpdate(update.requestID, largest: self.largestObject)
        if self.isForwarding != wasForwarding {
            self.delegate?.trackPublisher(self, didChangeForward: self.isForwarding)
        }
        var others = wanted
        others.forward = nil
        if others != SubscriptionParameters() {
            self.delegate?.trackPublisher(self, didUpdate: wanted)
        }
    }

    /// An update that cannot be satisfied ends the subscription (draft-18 §10.9.1).
    private func refuse(_ update: RequestUpdate) {
        self.link?.refuseUpdate(update.requestID, .invalidRange, reason: "everything in the range has been published")
        self.plannedEnd = .rangeEnded
        let action = self.machine.end(.updateFailed, reason: "the update could not be satisfied")
        self.resetStreams(.cancelled)
        self.perform(action)
    }

    func peerFinished() {
        // A subscriber that has nothing more to say still gets its objects. One that answers PUBLISH must not end early.
        if self.machine.state == .offered {
            self.cancelled(
                .cancelledByPeer,
                MoQError(code: .cancelledByPeer, message: "the peer closed the request"),
                code: .cancelled
            )
        }
    }

    func peerCancelled() {
        self.cancelled(
            .cancelledByPeer,
            MoQError(code: .cancelledByPeer, message: "the peer cancelled the request"),
            code: .cancelled
        )
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.cancelled(.sessionClosed(closure), MoQError(closure), code: .sessionClosed)
    }
}
