// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
public import WebTransport

/// A fetch in which this side is the one that answers, begun by accepting a FETCH. Loop only.
///
/// Objects go in through ``FetchConsumer``, in the order of the request; payload is queued by reference. What lies outside
/// the range is dropped and counted. A peer that does not read fills the queue: write no more while
/// ``isAboveHighWatermark``, until ``FetchPublisherDelegate/fetchPublisherDidDrain(_:)``.
///
/// It need not be kept: the session keeps it until everything is delivered.
public final class FetchPublisher {
    /// The track.
    public let track: FullTrackName
    /// The session.
    public let session: MoQSession
    /// The order of the groups.
    public private(set) var groupOrder: GroupOrder
    /// Who is told what happens.
    public weak var delegate: (any FetchPublisherDelegate)?
    /// The subscriber's priority, lower first.
    public private(set) var subscriberPriority: UInt8

    /// Called when the peer takes the FETCH back before it was answered.
    var onCancelled: (() -> Void)?
    /// What is sent: what was asked for, from the answer on as far as it says.
    private(set) var range: FetchRange
    let link: RequestLink

    private var machine = FetchResponseMachine()
    private var stream: SendStream?
    /// Where the stream stands among the others of the session, and by which priority of the publisher.
    private let delivery: DeliveryOrder
    private var publisherPriority: UInt8 = 128
    private var hasObjects = false
    private var encoder: FetchStreamEncoder
    private var sequence: FetchSequence
    private var heldUpdates: [RequestUpdate]
    /// Whether the peer wants the groups in the publisher's order.
    private let leavesOrder: Bool
    /// How many bytes of the object that began last are missing.
    private var missing: UInt64 = 0
    private var isSkipping = false

    /// The largest object id that every draft can write.
    private static let maximumObjectID: UInt64 = 1 << 62 - 1

    /// Makes the publisher that a FETCH of the peer asks for. `heldUpdates` came before the range was known.
    init(link: RequestLink, request: Fetch, track: FullTrackName, range: FetchRange, heldUpdates: [RequestUpdate]) {
        self.link = link
        self.session = link.session
        self.track = track
        self.range = range
        self.groupOrder = request.groupOrder ?? .ascending
        self.subscriberPriority = request.subscriberPriority ?? 128
        self.delivery = DeliveryOrder(
            link.session.schedule,
            subscriberPriority: request.subscriberPriority ?? 128
        )
        self.heldUpdates = heldUpdates
        self.leavesOrder = request.groupOrder == nil && link.session.profile.fetchLeavesOrderToPublisher
        self.encoder = FetchStreamEncoder(profile: link.session.profile, groupOrder: self.groupOrder)
        self.sequence = FetchSequence(groupOrder: self.groupOrder)
    }

    /// The id of the request.
    public var requestID: RequestID {
        self.link.id
    }

    /// Whether no more objects are taken.
    public var isEnded: Bool {
        switch self.machine.state {
        case .requested, .serving: false
        case .finishing, .ended: true
        }
    }

    /// Whether more is queued than should be.
    public var isAboveHighWatermark: Bool {
        self.stream?.isAboveHighWatermark ?? false
    }

    /// How many bytes wait to be handed to the transport.
    public var queuedByteCount: Int {
        self.stream?.queuedByteCount ?? 0
    }

    /// Ends the response: everything in the range was written. What was not does not exist.
    public func finish() {
        guard self.machine.state == .serving else {
            return
        }
        guard self.missing == 0 else {
            self.reset(.internalError)
            return
        }
        _ = self.machine.finish()
        try? self.stream?.finish()
    }

    /// Gives the response up; what is queued is dropped.
    public func reset(_ code: StreamResetCode) {
        guard self.machine.state == .serving || self.machine.state == .finishing else {
            return
        }
        self.over(.reset, code)
    }

    // MARK: Answering

    /// Whether the FETCH waits for its answer.
    var isPending: Bool {
        self.machine.state == .requested
    }

    func accept(largest: Location?, isTrackComplete: Bool, groupOrder: GroupOrder?, properties: PropertyList) {
        guard self.isPending else {
            return
        }
        if self.leavesOrder, let groupOrder, groupOrder != self.groupOrder {
            self.groupOrder = groupOrder
            self.encoder = FetchStreamEncoder(profile: self.session.profile, groupOrder: groupOrder)
            self.sequence = FetchSequence(groupOrder: groupOrder)
        }
        guard let largest, let answer = self.range.answer(largest: largest, isTrackComplete: isTrackComplete) else {
            self.reject(.invalidRange, reason: "the range begins after the largest object", retryAfter: nil)
            return
        }
        let stream = try? self.delivery.openStream(
            on: self.session.transport,
            publisherPriority: self.publisherPriority
        )
        guard let stream else {
            self.reject(.excessiveLoad, reason: "no stream can be opened", retryAfter: nil)
            return
        }
        let ok = FetchOk(
            requestID: self.link.id,
            endOfTrack: answer.endOfTrack,
            end: answer.end,
            groupOrder: self.groupOrder,
            properties: properties
        )
        guard self.link.send(.fetchOk(ok)) else {
            self.delivery.close(stream, publisherPriority: self.publisherPriority)
            stream.reset(code: StreamResetCode.internalError.wireValue(in: self.session.profile))
            self.reject(.internalError, reason: "the answer cannot be expressed", retryAfter: nil)
            return
        }
        self.onCancelled = nil
        _ = self.machine.accept()
        self.range = FetchRange(start: self.range.start, end: answer.end) ?? self.range
        self.stream = stream
        stream.delegate = self
        self.session.totals.streamsOpened &+= 1
        self.session.totals.liveStreamsOut += 1
        self.session.totals.liveFetchesServed += 1
        let id = self.link.id
        self.write { (encoder, bytes) throws(MoQWireError) in
            try encoder.encode(requestID: id, into: &bytes)
        }
        let updates = self.heldUpdates
        self.heldUpdates = []
        for update in updates {
            self.apply(update)
        }
    }

    func reject(_ code: RequestErrorCode, reason: String, retryAfter: UInt64?, redirect: Redirect? = nil) {
        guard self.machine.reject() else {
            return
        }
        self.onCancelled = nil
        self.dropHeldUpdates()
        self.link.refuse(code, reason: reason, retryAfter: retryAfter, redirect: redirect)
    }

    // MARK: Writing

    /// Queues a header. Returns false when the response is over because of it.
    @discardableResult
    private func write(
        _ encode: (inout FetchStreamEncoder, inout [UInt8]) throws(MoQWireError) -> Void
    ) -> Bool {
        guard let stream = self.stream else {
            return false
        }
        var isEncoded = false
        do throws(WebTransportError) {
            try stream.write { bytes in
                do throws(MoQWireError) {
                    try encode(&self.encoder, &bytes)
                    isEncoded = true
                } catch {
                    isEncoded = false
                }
            }
        } catch {
            self.writeFailed(error)
            return false
        }
        guard isEncoded else {
            self.reset(.internalError)
            return false
        }
        return self.machine.state == .serving
    }

    /// An object of this priority is written. It counts once nothing else waits in front of it: the objects of a response go in
    /// order, whatever their priorities are (draft-18 §7.2).
    private func adopt(priority: UInt8) {
        let isFirst = !self.hasObjects
        self.hasObjects = true
        guard priority != self.publisherPriority, let stream = self.stream, isFirst || stream.queuedByteCount == 0
        else {
            return
        }
        self.delivery.move(stream, from: self.publisherPriority, to: priority)
        self.publisherPriority = priority
    }

    private func writeFailed(_ error: WebTransportError) {
        guard error.code == .queueFull else {
            // The stream is gone and its delegate was told, or the session is.
            return
        }
        self.session.totals.subscribersTooFarBehind &+= 1
        self.over(.tooFarBehind, .tooFarBehind)
    }

    // MARK: Updates

    private func receive(_ update: RequestUpdate) throws(ProtocolViolation) {
        switch self.machine.state {
        case .requested:
            // An answer now would pass for the answer to the request.
            guard self.heldUpdates.count < TrackPublisher.maximumHeldUpdates else {
                throw ProtocolViolation(.internalError, "too many updates of a request that is not answered")
            }
            self.heldUpdates.append(update)
        case .serving, .finishing:
            self.apply(update)
        case .ended:
            self.link.refuseUpdate(update.requestID, .doesNotExist, reason: "the fetch is over")
        }
    }

    private func apply(_ update: RequestUpdate) {
        if let refusal = self.session.refusal(of: update, changing: .fetch, track: self.track) {
            self.link.refuseUpdate(update.requestID, refusal.code, reason: refusal.reason)
            // A failed update takes the objects along, and what was said about it has to arrive (draft-18 §10.9.1).
            self.over(.reset, .cancelled, keepsRequestStream: true)
            return
        }
        if let priority = update.parameters.subscriberPriority {
            self.subscriberPriority = priority
            self.delivery.subscriberPriority = priority
        }
        self.link.acceptUpdate(update.requestID)
    }

    /// The request that the updates were for is over; they are not answered, but the peer may make others.
    private func dropHeldUpdates() {
        for _ in self.heldUpdates {
            self.session.peerRequestEnded()
        }
        self.heldUpdates = []
    }

    // MARK: Ending

    /// Ends the fetch, with the stream reset, or delivered where there is no code.
    private func over(_ end: FetchPublisherEnd, _ code: StreamResetCode?, keepsRequestStream: Bool = false) {
        let state = self.machine.ended()
        guard state != .ended else {
            return
        }
        self.missing = 0
        self.dropHeldUpdates()
        let stream = self.stream
        self.stream = nil
        if let stream {
            self.delivery.close(stream, publisherPriority: self.publisherPriority)
        }
        if let code {
            stream?.reset(code: code.wireValue(in: self.session.profile))
        }
        if stream != nil {
            self.session.totals.liveStreamsOut -= 1
            self.session.totals.liveFetchesServed -= 1
        }
        if let code, !keepsRequestStream {
            // Both streams say how it ended: of the one with the objects the peer may not know yet whose it is.
            self.link.cancel(code)
        } else {
            self.link.finish()
            self.link.retire()
        }
        let onCancelled = self.onCancelled
        let delegate = self.delegate
        self.onCancelled = nil
        self.delegate = nil
        if state == .requested {
            onCancelled?()
        } else {
            delegate?.fetchPublisher(self, didEnd: end)
        }
    }
}

extension FetchPublisher: FetchConsumer {
    /// Sends the header of the next object.
    ///
    /// It must come after the one before in the order of the request, and that one must be complete; otherwise the response
    /// is reset with INTERNAL_ERROR.
    public func beginObject(_ object: FetchObjectHeader) {
        guard self.machine.state == .serving else {
            return
        }
        guard self.missing == 0 else {
            self.reset(.internalError)
            return
        }
        guard self.range.contains(object.location) else {
            self.session.totals.objectsFiltered &+= 1
            self.isSkipping = true
            return
        }
        guard object.status == .normal || self.session.profile.data.fetchObjectsAreComplete else {
            // What does not exist is left out where it has no status.
            self.isSkipping = true
            return
        }
        guard self.sequence.admitObject(at: object.location) else {
            self.reset(.internalError)
            return
        }
        self.isSkipping = false
        self.missing = object.payloadLength
        self.adopt(priority: object.publisherPriority)
        let isWritten = self.write { (encoder, bytes) throws(MoQWireError) in
            try encoder.encode(object, into: &bytes)
        }
        if isWritten {
            self.session.totals.objectsSent &+= 1
        }
    }

    /// Sends the next part of the object that began last.
    public func receive(payload: Bytes) {
        guard self.machine.state == .serving, !self.isSkipping, let stream = self.stream else {
            return
        }
        guard UInt64(payload.count) <= self.missing else {
            self.reset(.internalError)
            return
        }
        self.missing -= UInt64(payload.count)
        do throws(WebTransportError) {
            try stream.write(payload)
        } catch {
            self.writeFailed(error)
            return
        }
        self.session.totals.payloadBytesSent &+= UInt64(payload.count)
    }

    /// Says that everything after what was written last, up to this location, is left out. Drafts have it that objects
    /// which do not exist are left out without a word, except where that tells them from others that are not known
    /// (draft-18 §11.4.4.2). Draft 14 has no word for either, and a response that lacks what is not known is reset there.
    public func endRange(_ gap: FetchGap, through location: Location) {
        guard self.machine.state == .serving else {
            return
        }
        guard self.missing == 0 else {
            self.reset(.internalError)
            return
        }
        var last = min(max(location, self.range.start), self.range.end.location)
        last.object = min(last.object, Self.maximumObjectID)
        guard self.sequence.admitEndOfRange(at: last) else {
            self.reset(.internalError)
            return
        }
        guard !self.session.profile.data.fetchObjectsAreComplete else {
            if gap == .unknown {
                self.reset(.unknownObjectStatus)
            }
            return
        }
        self.write { (encoder, bytes) throws(MoQWireError) in
            try encoder.encode(endOfRange: gap, at: last, into: &bytes)
        }
    }

    /// Ends the response in the same way.
    public func fetchEnded(_ outcome: FetchOutcome) {
        if let code = outcome.resetCode {
            self.reset(code)
        } else {
            self.finish()
        }
    }
}

extension FetchPublisher: SessionRequest {
    var acceptedLink: RequestLink? {
        self.machine.state == .serving || self.machine.state == .finishing ? self.link : nil
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .requestUpdate(let update):
            try self.receive(update)
        case .fetchCancel:
            self.peerCancelled()
        default:
            throw .protocolViolation("message that does not belong to a FETCH")
        }
    }

    func peerFinished() {
        // Who has nothing more to say still gets the objects.
    }

    func peerCancelled() {
        self.over(.cancelledByPeer, .cancelled)
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.over(.sessionClosed(closure), .sessionClosed)
    }
}

extension FetchPublisher: SendStreamDelegate {
    /// There is room again. For the transport to call.
    public func sendStreamDidDrain(_ stream: SendStream) {
        guard self.machine.state == .serving else {
            return
        }
        self.delegate?.fetchPublisherDidDrain(self)
    }

    /// The peer does not want the objects. For the transport to call.
    public func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.over(.cancelledByPeer, .cancelled)
    }

    /// Everything was delivered. For the transport to call.
    public func sendStreamDidComplete(_ stream: SendStream) {
        // The end of the session completes streams, too; the session tells its requests of that itself.
        if stream.isDelivered {
            self.over(.finished, nil)
        }
    }
}
