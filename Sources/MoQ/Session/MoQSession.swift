// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import DequeModule
internal import MoQProtocol
public import MoQWire
public import PacketLoop
public import WebTransport

/// One session of Media over QUIC Transport, on top of a WebTransport session, in the role of client or server.
///
/// It speaks the draft of its profile; everything above sees the same model for all drafts. Requests go out as soon as the
/// setup is complete and the peer permits, and are kept waiting until then. What the peer must not do closes the session
/// with the code of the draft and a reason that names the rule; other sessions do not notice.
///
/// Confined to its loop: made, used and released there. Every callback may call any method.
public final class MoQSession {
    /// What carries the session.
    public let transport: any WebTransportSession
    /// The loop that everything happens on.
    public let loop: PacketLoop
    /// The draft that is spoken.
    public let profile: DraftProfile
    /// The side this is.
    public let role: Role
    /// The limits in force.
    public let configuration: MoQSessionConfiguration
    /// What the peer said about itself, once ``state`` is established.
    public internal(set) var peerSetup: SetupOptions?
    /// What the peer said when it asked this side to leave, once it has.
    public internal(set) var peerGoaway: SessionGoaway?
    /// How the session ended, once it has.
    public internal(set) var closure: MoQSessionClosure?

    /// Where a session is.
    public enum State: Hashable, Sendable {
        /// ``MoQSession/start()`` was not called.
        case idle
        /// Waiting for SETUP.
        case settingUp
        /// Requests and objects flow.
        case established
        /// Over.
        case closed
    }

    let messages: MessageCodec
    let datagrams: DatagramCodec
    /// Where the headers of datagrams are written.
    var datagramHeader: [UInt8] = []
    var handler: (any MoQSessionHandler)?
    var machine: SessionMachine
    var allocator: RequestIDAllocator
    var ledger: RequestIDLedger
    var totals = MoQSessionCounters()

    /// Where our control messages go.
    var control: MessageStream?
    /// Where the peer's come from; the same stream where there is only one.
    var peerControl: MessageStream?
    /// The requests of both sides by id.
    var requests: [RequestID: any SessionRequest] = [:]
    /// Where an answer to an update comes by its id instead of on its stream: whose update it is.
    var updates: [RequestID: any SessionRequest] = [:]
    /// Requests of ours that wait for the setup or for permission.
    var waiting: Deque<any OutgoingRequest> = []
    /// Streams with messages that came before the setup, or before the transport was confirmed.
    var heldRequests: [MessageStream] = []

    /// Bidirectional streams of the peer whose first message is awaited, those that came first at the front.
    var openingStreams: Deque<OpeningStream> = []
    var openingTimer: LoopTimer?

    /// Tracks that we subscribe to, as far as the peer knows of it.
    var subscribedTracks: [FullTrackName: Subscription] = [:]
    /// Tracks that the peer offers and that are not answered.
    var offeredTracks: Set<FullTrackName> = []
    /// In which order the streams with objects, and datagrams, are sent.
    let schedule = DeliverySchedule()
    /// Tracks that the peer subscribes to, or that we offer.
    var publishedTracks: Set<FullTrackName> = []
    /// Prefixes that the peer has subscribed to.
    var peerPrefixes: [RequestID: (kind: RequestKind, prefix: TrackNamespace)] = [:]
    /// Our requests about the namespaces and tracks under a prefix, those that wait to be sent included.
    var namespaceSubscriptions: [NamespaceSubscription] = []
    /// The announcements that stand, of each side, where messages name their namespace instead of the request.
    var announcements: [Role: [TrackNamespace: RequestID]] = [:]
    /// Reports namespaces to the peer where each takes a request.
    var announcer: NamespaceAnnouncer?

    /// The subscriptions that data streams belong to.
    var aliases: [TrackAlias: Subscription] = [:]
    /// Aliases of subscriptions that are over: their late streams are stopped at once.
    var retiredAliases = RetiredAliases()
    /// The next alias for a track of ours.
    var nextAlias: UInt64 = 0
    /// Publishers that have sent PUBLISH_DONE and wait for their streams to be delivered.
    var lingering: [ObjectIdentifier: TrackPublisher] = [:]
    /// Joining fetches of the peer that overtook the subscription with this id.
    var heldJoins: [(id: RequestID, join: WaitingJoin)] = []
    /// Data streams that wait for their subscription.
    var heldStreams: [IngressStream] = []
    /// Datagrams that wait for theirs.
    var heldDatagrams = HeldDatagrams()
    /// Tasks that wait for the peer's GOAWAY.
    var goawayWaiters: [GoawayWaiter] = []
    /// The tokens that the peer has registered.
    var tokenCache: TokenCache
    /// The tokens of its SETUP.
    var sessionCredentials: [AuthorizationCredential] = []
    /// The tokens that we have registered with it.
    var tokenRegistry = TokenRegistry()
    /// The tracks that tasks publish; requests for them do not reach the handler.
    let sources = SourceTable()

    /// Called once, when the session has closed and its handler knows.
    package var didEnd: ((MoQSession) -> Void)?

    private var setupTimer: LoopTimer?
    private var goawayTimer: LoopTimer?
    private var pendingClosure: MoQSessionClosure?

    /// Makes a session. Nothing happens before ``start()``.
    ///
    /// `handler` is kept until it was told that the session closed.
    public init(
        transport: any WebTransportSession,
        loop: PacketLoop,
        profile: DraftProfile,
        configuration: MoQSessionConfiguration = MoQSessionConfiguration(),
        handler: any MoQSessionHandler
    ) {
        self.transport = transport
        self.loop = loop
        self.profile = profile
        self.role = transport.role == .client ? .client : .server
        self.configuration = configuration
        self.handler = handler
        self.tokenCache = TokenCache(capacity: configuration.setup.maxAuthTokenCacheSize ?? 0)
        self.messages = MessageCodec(profile: profile, role: self.role)
        self.datagrams = DatagramCodec(profile: profile)
        self.machine = SessionMachine(
            role: self.role,
            shape: profile.controlShape,
            version: profile.setupNegotiatesVersion ? profile.version.setupNumber : nil,
            targets: SetupTargets(
                paths: configuration.servedPaths,
                authorities: configuration.servedAuthorities,
                areOfTransport: transport.carriesURI
            )
        )
        let hasLimit = profile.hasRequestLimit
        self.allocator = RequestIDAllocator(role: self.role, limit: hasLimit ? RequestID(0) : nil)
        self.ledger = RequestIDLedger(
            peer: self.role.peer,
            window: hasLimit ? configuration.maxPeerRequests : nil,
            isOrdered: profile.requestsArriveInOrder
        )
    }

    /// Opens the control stream, sends SETUP as far as it is this side's turn, and starts to listen.
    public func start() {
        self.loop.assertOnLoop()
        guard self.isOpen else {
            return
        }
        let action = self.machine.start()
        guard action != .nothing else {
            return
        }
        self.setupTimer = self.loop.schedule(after: self.configuration.setupTimeout) { [weak self] in
            self?.setupTimerFired()
        }
        if action == .sendSetup {
            self.openControlStream()
        }
        if self.isOpen {
            self.transport.handler = self
        }
    }

    /// Where the session is.
    public var state: State {
        switch self.machine.state {
        case .idle: .idle
        case .settingUp: .settingUp
        case .established: .established
        case .closed: .closed
        }
    }

    /// Whether the session is not closed.
    public var isOpen: Bool {
        self.machine.state != .closed
    }

    /// Whether the peer has sent GOAWAY, so that new requests fail.
    public var isGoingAway: Bool {
        self.machine.hasReceivedGoaway
    }

    /// What the session has and what it has seen.
    public var counters: MoQSessionCounters {
        var result = self.totals
        result.liveRequests = self.requests.count + self.waiting.count
        result.liveHeldStreams = self.heldStreams.count
        result.liveTokens = self.tokenCache.count
        return result
    }

    /// What the session and the transport below it have and have seen.
    public var statistics: MoQSessionStatistics {
        MoQSessionStatistics(counters: self.counters, transport: self.transport.statistics)
    }

    /// Whether something that was sent, or that waits to be sent, is not confirmed by the peer's transport. Closing loses
    /// it, the last control message included; false on a closed session.
    package var hasUnconfirmedData: Bool {
        guard self.isOpen else {
            return false
        }
        let statistics = self.transport.statistics
        return self.transport.queuedByteCount > 0 || statistics.datagramsQueued > 0
            || statistics.path?.bytesInFlight ?? 0 > 0
    }

    /// Ends the session: every request and track is told, then the handler. Does nothing when it is closed. What waits to
    /// be sent is dropped.
    public func close(_ code: SessionErrorCode = .noError, reason: String = "") {
        self.loop.assertOnLoop()
        guard self.isOpen, self.pendingClosure == nil else {
            return
        }
        self.pendingClosure = MoQSessionClosure(origin: .local, code: code, reason: reason)
        let hadHandler = self.transport.handler === self
        self.transport.close(code: code.wireValue(in: self.profile), reason: reason)
        if !hadHandler {
            self.finishClose(MoQSessionClosure(origin: .local, code: code, reason: reason))
        }
    }

    /// Tells the peer that the session is about to end, once (draft-18 §10.4, "GOAWAY").
    ///
    /// Requests of the peer are refused from now on. `newSessionURI` says where to go instead; only servers may say it,
    /// and clients ignore it here. When `timeout` has passed and requests are still open, the session closes with
    /// GOAWAY_TIMEOUT.
    public func sendGoaway(newSessionURI: String? = nil, timeout: Duration? = nil) {
        self.loop.assertOnLoop()
        guard self.machine.sendGoaway(), let control = self.control else {
            return
        }
        var goaway = Goaway(newSessionURI: self.role == .server ? newSessionURI ?? "" : "")
        if self.profile.goawayForm == .uriTimeoutRequestID {
            goaway.timeout = timeout?.clampedMilliseconds
            goaway.requestID = self.ledger.nextUnused
        }
        guard self.send(.goaway(goaway), on: control), let timeout else {
            return
        }
        self.goawayTimer = self.loop.schedule(after: timeout) { [weak self] in
            self?.goawayTimerFired()
        }
    }

    // MARK: Closing

    /// The peer broke a rule.
    func close(_ violation: ProtocolViolation) {
        self.close(violation.code, reason: violation.reason)
    }

    /// The transport is over: everything that belongs to the session is told, once.
    func transportClosed(_ info: WebTransportCloseInfo) {
        let code = SessionErrorCode(wireValue: info.code, in: self.profile)
        switch info.origin {
        case .local:
            self.finishClose(
                self.pendingClosure ?? MoQSessionClosure(origin: .local, code: code, reason: info.reason)
            )
        case .peer:
            self.finishClose(MoQSessionClosure(origin: .peer, code: code, reason: info.reason))
        case .transport(let cause):
            self.finishClose(
                MoQSessionClosure(
                    origin: .transport(cause.rawValue),
                    code: .unknown(info.code),
                    reason: info.reason
                )
            )
        }
    }

    private func finishClose(_ closure: MoQSessionClosure) {
        guard self.machine.closed() else {
            return
        }
        self.closure = closure
        self.setupTimer?.cancel()
        self.goawayTimer?.cancel()
        self.setupTimer = nil
        self.goawayTimer = nil
        self.openingTimer?.cancel()
        self.openingTimer = nil
        self.openingStreams = []

        let held = self.heldStreams
        self.heldStreams = []
        self.heldDatagrams = HeldDatagrams()
        for stream in held {
            stream.sessionClosed()
        }
        let requests = self.requests.values.map { $0 }
        let waiting = self.waiting
        self.requests = [:]
        self.updates = [:]
        self.waiting = []
        self.heldRequests = []
        self.heldJoins = []
        for request in requests {
            request.sessionClosed(closure)
        }
        for request in waiting where !request.isWithdrawn {
            request.sessionClosed(closure)
        }
        let lingering = self.lingering.values.map { $0 }
        self.lingering = [:]
        for publisher in lingering {
            publisher.sessionClosed(closure)
        }
        self.subscribedTracks = [:]
        self.offeredTracks = []
        self.publishedTracks = []
        self.peerPrefixes = [:]
        self.namespaceSubscriptions = []
        self.announcements = [:]
        self.announcer = nil
        self.aliases = [:]
        self.tokenCache = TokenCache(capacity: 0)
        self.tokenRegistry = TokenRegistry()
        self.control = nil
        self.peerControl = nil
        self.sources.closed(MoQError(closure))
        self.tellGoaway(.failure(MoQError(closure)))
        let handler = self.handler
        self.handler = nil
        handler?.session(self, didClose: closure)
        let didEnd = self.didEnd
        self.didEnd = nil
        didEnd?(self)
    }

    // MARK: Timers

    private func setupTimerFired() {
        if let violation = self.machine.setupTimedOut() {
            self.close(violation)
        }
    }

    private func goawayTimerFired() {
        if !self.requests.isEmpty {
            self.close(.goawayTimeout, reason: "the peer has open requests after GOAWAY and its timeout")
        }
    }

    /// The setup is complete.
    func cancelSetupTimer() {
        self.setupTimer?.cancel()
        self.setupTimer = nil
    }
}

extension Duration {
    /// The duration in whole milliseconds; 0 for negative ones.
    var clampedMilliseconds: UInt64 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else {
            return 0
        }
        let (scaled, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000)
        let (sum, overflow2) = scaled.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000_000_000))
        return overflow || overflow2 ? .max : sum
    }

    /// As many milliseconds; the longest duration we use for values beyond it.
    static func clamped(milliseconds: UInt64) -> Duration {
        .milliseconds(Int64(clamping: min(milliseconds, 1 << 50)))
    }
}
