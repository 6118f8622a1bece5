// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop

/// A fetch in which this side is the one that asked. Loop only.
///
/// It need not be kept: the session keeps it as long as it lives. It ends exactly once, with a failed response or with
/// ``FetchConsumer/fetchEnded(_:)``.
public final class FetchReceiver {
    /// Where a fetch is.
    public enum State: Hashable, Sendable {
        /// Not answered, possibly not even sent.
        case pending
        /// Accepted; objects may come.
        case active
        /// Over.
        case ended
    }

    /// The track.
    public let track: FullTrackName
    /// The session.
    public let session: MoQSession
    /// The order of the groups.
    public let groupOrder: GroupOrder
    /// What the publisher answered, once it did.
    public private(set) var answer: FetchOk?
    /// Whether this side has paused the flow with ``pause()``.
    public private(set) var isPaused = false

    private let target: FetchTarget
    private let parameters: FetchParameters
    /// The subscription whose past is fetched.
    private weak var joined: Subscription?
    private var machine = FetchMachine()
    private var link: RequestLink?
    private var stream: IngressFetch?
    private(set) var consumer: (any FetchConsumer)?
    private var response: ((Result<FetchOk, MoQError>) -> Void)?
    private let updates = OutgoingUpdates()
    private var isLive = false
    /// Runs between the answer and the stream.
    private var streamTimer: LoopTimer?

    init(
        session: MoQSession,
        track: FullTrackName,
        target: FetchTarget,
        joined: Subscription? = nil,
        parameters: FetchParameters,
        consumer: any FetchConsumer,
        response: @escaping (Result<FetchOk, MoQError>) -> Void
    ) {
        self.session = session
        self.track = track
        self.target = target
        self.joined = joined
        self.parameters = parameters
        self.groupOrder = parameters.groupOrder ?? .ascending
        self.consumer = consumer
        self.response = response
    }

    /// Where the fetch is.
    public var state: State {
        switch self.machine.state {
        case .requested: .pending
        case .answered, .receiving: .active
        case .ended: .ended
        }
    }

    /// The id of the request, once it was sent.
    public var requestID: RequestID? {
        self.link?.id
    }

    /// Ends the fetch.
    ///
    /// Before the answer, the response fails with ``MoQError/Code/cancelled``; after it, the consumer is told that the
    /// fetch ended. Either way before this returns.
    public func cancel() {
        self.end(.cancelled, MoQError(code: .cancelled, message: "the fetch was cancelled")) {
            self.giveUp(.cancelled)
        }
    }

    /// Changes the priority of the fetch (draft-18 §10.9, "REQUEST_UPDATE"). `tokens` are what allows that.
    ///
    /// `response` is called once, on the loop; it fails at once when the fetch is not accepted or over, when too many updates
    /// wait for their answers, or when the peer permits no further request. Draft 14 has no update of a FETCH.
    public func update(
        priority: UInt8,
        tokens: [AuthorizationToken] = [],
        response: ((Result<RequestOk, MoQError>) -> Void)? = nil
    ) {
        guard let link = self.link, self.state == .active else {
            response?(.failure(MoQError(code: .invalidState, message: "the fetch is not active")))
            return
        }
        guard self.session.profile.updatesAreAnswered else {
            response?(.failure(MoQError(code: .notExpressible, message: "the draft has no update of a FETCH")))
            return
        }
        let parameters = SubscriptionParameters(subscriberPriority: priority)
        self.updates.send(parameters, tokens: tokens, of: self, over: link, response: response)
    }

    /// Stops reading the fetch's stream. Its window closes, so that the publisher has to wait; what is under way is kept.
    public func pause() {
        guard !self.isPaused, self.state != .ended else {
            return
        }
        self.isPaused = true
        self.stream?.pause()
    }

    /// Reads on.
    public func resume() {
        guard self.isPaused else {
            return
        }
        self.isPaused = false
        if self.machine.state == .receiving {
            self.stream?.resume()
        }
    }

    // MARK: The stream

    /// The stream of the fetch was recognised.
    func attach(_ stream: IngressFetch) -> FetchMachine.StreamAction {
        let action = self.machine.streamOpened()
        if action != .stop {
            self.stream = stream
            self.cancelTimer()
        }
        return action
    }

    /// The stream is complete.
    func streamFinished() {
        self.end(.complete, MoQError(code: .cancelledByPeer, message: "the fetch ended")) {
            self.close()
        }
    }

    /// The publisher reset the stream.
    func streamReset(_ code: StreamResetCode) {
        self.stream = nil
        guard self.machine.streamReset(code) else {
            return
        }
        self.close()
        self.tellEnd(.reset(code))
    }

    /// The stream did not come.
    private func streamTimerFired() {
        guard self.machine.state == .answered else {
            return
        }
        self.end(.reset(.deliveryTimeout), MoQError(code: .cancelled, message: "the objects did not come")) {
            self.giveUp(.cancelled)
        }
    }

    private func cancelTimer() {
        self.streamTimer?.cancel()
        self.streamTimer = nil
    }

    /// The objects break the rules of the object model (draft-18 §2.4.4, "Malformed Tracks"): the fetch is over, and with it
    /// whatever else this side asked of the track.
    func malformed(_ error: MalformedTrack) {
        guard self.state != .ended else {
            return
        }
        self.session.totals.malformedTracks &+= 1
        self.end(.malformedTrack(error.reason), MoQError(code: .cancelledByPeer, message: error.reason)) {
            self.giveUp(.malformedTrack)
        }
        self.session.endRequests(forMalformed: self.track, error)
    }

    /// The objects are beyond a limit of this side.
    func refused(_ reason: String) {
        self.end(.reset(.internalError), MoQError(code: .cancelled, message: reason)) {
            self.giveUp(.internalError)
        }
    }

    // MARK: Ending

    /// Ends the fetch: `body` tells the peer, then the owner is told.
    private func end(_ outcome: FetchOutcome, _ error: MoQError, _ body: () -> Void) {
        switch self.machine.ended() {
        case .ended:
            return
        case .requested:
            body()
            self.fail(error)
        case .answered, .receiving:
            body()
            self.tellEnd(outcome)
        }
    }

    /// Tells the peer that nothing more is wanted.
    private func giveUp(_ code: StreamResetCode) {
        if let link = self.link {
            link.cancel(code)
        } else {
            self.session.withdraw(self)
        }
        self.dropStream(code)
    }

    /// Both sides know that it is over.
    private func close() {
        self.link?.finish()
        self.link?.retire()
    }

    private func dropStream(_ code: StreamResetCode) {
        let stream = self.stream
        self.stream = nil
        stream?.stop(code)
    }

    private func fail(_ error: MoQError) {
        self.consumer = nil
        let response = self.response
        self.response = nil
        response?(.failure(error))
    }

    private func tellEnd(_ outcome: FetchOutcome) {
        self.stream = nil
        self.cancelTimer()
        if self.isLive {
            self.isLive = false
            self.session.totals.liveFetches -= 1
        }
        for response in self.updates.takeAll(of: self.session) {
            response(.failure(MoQError(code: .invalidState, message: "the fetch ended")))
        }
        let consumer = self.consumer
        self.consumer = nil
        consumer?.fetchEnded(outcome)
    }
}

extension FetchReceiver: OutgoingRequest {
    var kind: RequestKind {
        .fetch
    }

    var isWithdrawn: Bool {
        self.machine.state == .ended
    }

    func openingMessage(id: RequestID) -> MoQMessage {
        // Where a request without an order leaves it to the publisher, it is asked for.
        let saysOrder = self.session.profile.messageForm == .fields
        return .fetch(
            Fetch(
                requestID: id,
                target: self.target,
                subscriberPriority: self.parameters.subscriberPriority,
                groupOrder: saysOrder ? self.groupOrder : self.parameters.groupOrder,
                fillTimeout: self.parameters.fillTimeout,
                tokens: self.parameters.tokens
            )
        )
    }

    func launched(_ link: RequestLink) {
        self.link = link
    }

    func launchFailed(_ error: MoQError) {
        self.end(.cancelled, error) {}
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .fetchOk(let ok):
            try self.receive(ok)
        case .requestOk(let ok):
            guard let response = self.updates.take(ok.requestID) else {
                throw .protocolViolation("REQUEST_OK for a FETCH")
            }
            response(.success(ok))
        case .requestError(let error):
            if let response = self.updates.take(error.requestID) {
                response(.failure(MoQError(error)))
                return
            }
            guard try self.machine.receivedError() else {
                return
            }
            self.close()
            self.dropStream(.cancelled)
            self.fail(MoQError(error))
        case .requestUpdate(let update):
            self.link?.refuseUpdate(update.requestID, .notSupported, reason: "not the sender of the request")
        default:
            throw .protocolViolation("message that does not belong to a FETCH")
        }
    }

    private func receive(_ ok: FetchOk) throws(ProtocolViolation) {
        let action = try self.machine.receivedOk(ok.end, start: self.knownStart)
        guard action != .nothing else {
            return
        }
        if let type = self.session.mandatoryPropertyNotUnderstood(in: ok.properties) {
            _ = self.machine.ended()
            self.giveUp(.cancelled)
            self.fail(
                MoQError(
                    code: .rejected,
                    message: "mandatory property \(type) is not understood",
                    requestError: .unsupportedExtension
                )
            )
            return
        }
        self.answer = ok
        self.isLive = true
        self.session.totals.liveFetches += 1
        let response = self.response
        self.response = nil
        response?(.success(ok))
        switch action {
        case .awaitStream:
            guard self.machine.state == .answered else {
                return
            }
            let timeout = self.session.configuration.fetchStreamTimeout
            self.streamTimer = self.session.loop.schedule(after: timeout) { [weak self] in
                self?.streamTimerFired()
            }
        case .nothing:
            break
        case .readStream:
            // The owner may have cancelled or paused when it heard of the answer.
            if self.machine.state == .receiving, !self.isPaused {
                self.stream?.resume()
            }
        case .end(let code):
            self.close()
            self.tellEnd(.reset(code))
        }
    }

    /// Where the range that was asked for begins, as far as this side knows: that of a relative joining fetch begins there
    /// or later, since the subscription's location only grows.
    private var knownStart: Location? {
        switch self.target {
        case .standalone(_, let start, _):
            return start
        case .absoluteJoining(_, let group):
            return Location(group: group, object: 0)
        case .relativeJoining(_, let groupsBack):
            guard let location = self.joined?.largestObject else {
                return nil
            }
            return FetchRange(groupsBack: groupsBack, joining: location).start
        }
    }

    func peerFinished() {
        // After the answer there is nothing left to say; the objects come on their own stream.
        guard self.machine.isRequested else {
            return
        }
        self.end(.reset(.cancelled), MoQError(code: .cancelledByPeer, message: "the publisher closed the request")) {
            self.close()
            self.dropStream(.cancelled)
        }
    }

    func peerCancelled() {
        let code = self.link?.stream.peerCode ?? .cancelled
        self.end(.reset(code), MoQError(code: .cancelledByPeer, message: "the publisher cancelled the request")) {
            self.link?.retire()
            self.dropStream(.cancelled)
        }
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.end(.sessionClosed, MoQError(closure)) {
            self.link?.retire()
            self.dropStream(.sessionClosed)
        }
    }
}
