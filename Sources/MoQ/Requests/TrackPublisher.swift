// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop
internal import WebTransport

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
    public internal(set) var subscriberPriority: UInt8
    /// Which group goes first when there is not enough room for all.
    public internal(set) var groupOrder: GroupOrder
    /// The largest location that was published here, or that was given at the start.
    public internal(set) var largestObject: Location?
    /// What the subscriber has asked for, updates included.
    public internal(set) var parameters: SubscriptionParameters
    /// Whether the queue is above the high watermark: the publisher should pause until
    /// ``TrackPublisherDelegate/trackPublisherDidDrain(_:)``.
    public internal(set) var isAboveHighWatermark = false {
        didSet {
            guard self.isAboveHighWatermark != oldValue else {
                return
            }
            for subgroup in self.subgroups {
                subgroup.publisherIsAboveHighWatermark(self.isAboveHighWatermark)
            }
        }
    }

    /// Called when the peer takes a SUBSCRIBE back before it was answered.
    var onCancelled: (() -> Void)?
    /// Called when a stream of the subscription is over.
    var streamClosed: (() -> Void)?
    /// Where the subscription starts: where its filter says, if that says so in numbers, and else behind what there was when
    /// it began. Of a track that was offered that is where its objects begin to flow, nil until then.
    var firstWanted: Location?
    /// What the subscriber's filter lets through.
    var filter: ObjectFilter
    /// The bounds of what an update may ask for, where updates can only narrow.
    var narrowing = NarrowingRange(nil, communicated: nil)
    /// How long objects and subgroups may take. What is late is given up: the stream is reset, the datagram dropped.
    private(set) var timeouts = DeliveryTimeouts()
    /// The properties of the track, as the subscriber was told them.
    private var properties: PropertyList
    /// The priority of objects that do not carry one.
    private(set) var defaultPriority: UInt8 = 128

    let request: PublishRequest?
    let tokens: [AuthorizationToken]
    var machine: PublicationMachine
    var link: RequestLink?
    var response: ((Result<PublishOkInfo, MoQError>) -> Void)?
    /// Whether the subscriber wants objects; they flow only while the subscription is established or ending.
    var isForwarding: Bool
    var subgroups: [EgressSubgroup] = []
    /// The order in which their streams are sent.
    let delivery: DeliveryOrder
    var plannedEnd = TrackPublisherEnd.finished
    var heldUpdates: [RequestUpdate] = []
    /// Joining fetches that wait for the answer to the SUBSCRIBE.
    var waitingJoins: [WaitingJoin] = []
    /// The largest location that was communicated when objects began to flow: where joining fetches end
    /// (draft-18 §5.1, "Joining Location").
    var joiningLocation: Location?
    var isLive = false

    /// Subgroups that are complete and not delivered.
    var finishedSubgroups = 0
    /// Bytes queued as far as known: exact when it was measured, more since then by what was written.
    var queuedEstimate = 0
    var nextMeasurement = 0
    var takenByClosedStreams: UInt64 = 0
    var takenAtLastCheck: UInt64 = 0
    var stallTimer: LoopTimer?

    /// How many updates may wait for the answer to the request that they change.
    static let maximumHeldUpdates = 64

    /// Makes the publisher that a SUBSCRIBE of the peer asks for.
    init(link: RequestLink, request: Subscribe) {
        self.session = link.session
        self.track = request.track
        self.link = link
        self.request = nil
        self.properties = PropertyList()
        self.tokens = []
        self.parameters = request.parameters
        self.subscriberPriority = request.parameters.subscriberPriority ?? 128
        self.delivery = DeliveryOrder(
            link.session.schedule,
            subscriberPriority: request.parameters.subscriberPriority ?? 128
        )
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
        self.properties = request.properties
        self.tokens = request.tokens
        self.parameters = SubscriptionParameters()
        self.subscriberPriority = 128
        self.delivery = DeliveryOrder(session.schedule, subscriberPriority: 128)
        self.groupOrder = request.properties.defaultPublisherGroupOrder ?? .ascending
        self.isForwarding = request.forward
        self.largestObject = request.largestObject
        self.filter = ObjectFilter(nil, largest: nil)
        self.trackAlias = session.makeAlias()
        self.defaultPriority = request.properties.defaultPublisherPriority ?? 128
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
        self.defaultPriority = properties.defaultPublisherPriority ?? 128
        self.properties = properties
        self.updateTimeouts()
        self.filter = ObjectFilter(self.parameters.filter, largest: largest)
        self.firstWanted = Self.start(of: self.parameters.filter) ?? Self.start(behind: largest)
        self.narrowing = NarrowingRange(self.parameters.filter, communicated: largest)
        guard !self.filter.isExhausted(largest: largest) else {
            self.reject(.invalidRange, reason: "everything in the range has been published", retryAfter: nil)
            return
        }
        let ok = SubscribeOk(
            requestID: link.id,
            trackAlias: self.trackAlias,
            expires: expires,
            largestObject: largest,
            groupOrder: self.groupOrder,
            properties: properties
        )
        guard link.send(.subscribeOk(ok)) else {
            self.reject(.internalError, reason: "the answer cannot be expressed", retryAfter: nil)
            return
        }
        self.onCancelled = nil
        _ = self.machine.accept()
        self.joiningLocation = largest
        self.becomeLive()
        self.applyHeldUpdates()
        self.settleWaitingJoins()
    }

    /// Where a filter says that a subscription starts, if it says so in numbers.
    static func start(of filter: SubscriptionFilter?) -> Location? {
        switch filter {
        case .absoluteStart(let start), .absoluteRange(let start, _), .objects(let start, _): start
        case nil, .unfiltered, .nextGroup, .nextObject, .relativeGroup: nil
        }
    }

    private static func start(behind largest: Location?) -> Location {
        guard let largest else {
            return Location(group: 0, object: 0)
        }
        return Location(group: largest.group, object: largest.object == .max ? .max : largest.object + 1)
    }

    func reject(_ code: RequestErrorCode, reason: String, retryAfter: UInt64?, redirect: Redirect? = nil) {
        guard self.machine.reject() else {
            return
        }
        self.onCancelled = nil
        self.dropHeldUpdates()
        self.session.publishedTracks.remove(self.track)
        self.settleWaitingJoins()
        self.link?.refuse(code, reason: reason, retryAfter: retryAfter, redirect: redirect)
    }

    /// The subscriber wants other timeouts, or the track has some.
    func updateTimeouts() {
        let timeouts = DeliveryTimeouts(subscriber: self.parameters, track: self.properties)
        guard timeouts != self.timeouts else {
            return
        }
        self.timeouts = timeouts
        for subgroup in self.subgroups {
            subgroup.timeoutsChanged()
        }
    }

    func becomeLive() {
        self.isLive = true
        self.session.totals.livePublications += 1
    }

    // MARK: Ending

    func perform(_ action: PublicationMachine.Action) {
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

    func forget() {
        self.dropHeldUpdates()
        self.settleWaitingJoins()
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
        self.streamClosed = nil
        if let response = self.response {
            // A PUBLISH that ends before its answer never was a subscription.
            self.response = nil
            response(.failure(MoQError(code: .cancelled, message: "the offer was taken back")))
        }
        delegate?.trackPublisher(self, didEnd: end)
    }

    func respond(_ result: Result<PublishOkInfo, MoQError>) {
        let response = self.response
        self.response = nil
        response?(result)
    }

    /// Resets what is open.
    func resetStreams(_ code: StreamResetCode) {
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

    func cancelled(_ end: TrackPublisherEnd, _ error: MoQError, code: StreamResetCode) {
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
}
