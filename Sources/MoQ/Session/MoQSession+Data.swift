// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import DequeModule
internal import MoQProtocol
internal import MoQWire
internal import PacketLoop
public import WebTransport

// Data streams and datagrams: which subscription they belong to.
extension MoQSession {
    /// The peer's control stream, where it has one of its own. Nil when there is one already.
    func makePeerControlStream(_ input: ReceiveStream) -> MessageStream? {
        guard self.peerControl == nil else {
            return nil
        }
        let stream = MessageStream(
            session: self,
            output: nil,
            input: input,
            purpose: .control,
            isOpenedByUs: false
        )
        self.peerControl = stream
        return stream
    }

    /// The alias of the next track of ours.
    func makeAlias() -> TrackAlias {
        let alias = TrackAlias(self.nextAlias)
        self.nextAlias &+= 1
        return alias
    }

    /// A subscription is active under this alias.
    ///
    /// - Throws: DUPLICATE_TRACK_ALIAS when another one is.
    func claim(_ alias: TrackAlias, for subscription: Subscription) throws(ProtocolViolation) {
        if let owner = self.aliases[alias], owner !== subscription {
            throw ProtocolViolation(.duplicateTrackAlias, "track alias \(alias) stands for another track")
        }
        self.aliases[alias] = subscription
        self.retiredAliases.remove(alias)
    }

    /// A track turned out to be malformed: what else was asked of it ends, too (draft-18 §2.4.4).
    func endRequests(forMalformed track: FullTrackName, _ error: MalformedTrack) {
        for request in Array(self.requests.values) {
            if let fetch = request as? FetchReceiver, fetch.track == track {
                fetch.malformed(error)
            } else if let subscription = request as? Subscription, subscription.track == track {
                subscription.malformed(error)
            }
        }
    }

    /// Nothing more is wanted under this alias: what waits for it, and what comes late, is stopped.
    func retireAlias(_ alias: TrackAlias) {
        guard self.aliases[alias] == nil else {
            return
        }
        self.retiredAliases.insert(alias)
        for stream in self.heldStreams where stream.heldAlias == alias {
            stream.stop(.cancelled)
        }
    }

    /// Holds a data stream back until somebody knows its alias. Returns false when that is in vain, or when too many
    /// are held already.
    ///
    /// A retired alias may come back: publishers may keep one per track, and streams overtake SUBSCRIBE_OK. So it only
    /// means something as long as no answer is awaited.
    func hold(_ stream: IngressStream, alias: TrackAlias) -> Bool {
        guard self.heldStreams.count < self.configuration.maxHeldStreams else {
            return false
        }
        guard !self.retiredAliases.contains(alias) || self.awaitsSubscribeOk else {
            return false
        }
        self.heldStreams.append(stream)
        return true
    }

    private var awaitsSubscribeOk: Bool {
        self.subscribedTracks.values.contains { $0.state == .pending }
    }

    /// A stream is not held back any more.
    func releaseHeld(_ stream: IngressStream) {
        self.heldStreams.removeAll { $0 === stream }
    }

    /// The streams and datagrams that waited for this subscription can go on.
    func deliverHeldStreams(of subscription: Subscription, _ alias: TrackAlias) {
        for held in self.heldDatagrams.take(alias) {
            self.deliver(held.header, payload: held.payload, to: subscription)
        }
        self.dropHeldDatagrams()
        let streams = self.heldStreams.filter { $0.heldAlias == alias }
        guard !streams.isEmpty else {
            return
        }
        self.heldStreams.removeAll { $0.heldAlias == alias }
        for stream in streams {
            if subscription.state == .active {
                stream.claimed(by: subscription)
            } else {
                stream.stop(.cancelled)
            }
        }
    }

    /// Sends an object in a datagram, or drops it when it has waited for longer than its lifetime. Returns whether it was
    /// queued; if not, it is counted.
    func send(
        _ datagram: ObjectDatagram,
        payload: Bytes,
        alias: TrackAlias,
        publisherPriority: UInt8?,
        lifetime: Duration?,
        order: DatagramOrder
    ) -> Bool {
        // One array for all headers, taken out while it is used.
        var header: [UInt8] = []
        swap(&header, &self.datagramHeader)
        defer { swap(&header, &self.datagramHeader) }
        header.removeAll(keepingCapacity: true)
        do {
            try self.datagrams.encode(
                datagram,
                trackAlias: alias,
                publisherPriority: publisherPriority,
                into: &header
            )
            try unsafe self.transport.sendDatagram(
                header: header.span.bytes,
                payload: payload,
                lifetime: lifetime,
                order: order
            )
            return true
        } catch {
            self.totals.datagramsNotSent &+= 1
            return false
        }
    }

    /// Keeps a datagram whose alias nobody knows, as long as the answer to a SUBSCRIBE may still say whose it is.
    private func hold(_ datagram: ObjectDatagram, payload: RawSpan) {
        guard self.heldDatagrams.hasRoom, !self.retiredAliases.contains(datagram.trackAlias), self.awaitsSubscribeOk
        else {
            self.totals.datagramsUnknownTrack &+= 1
            return
        }
        self.heldDatagrams.append(datagram, payload)
    }

    /// Forgets the datagrams that are held, unless another answer is awaited.
    func dropHeldDatagrams() {
        guard !self.heldDatagrams.isEmpty, !self.awaitsSubscribeOk else {
            return
        }
        self.totals.datagramsUnknownTrack &+= UInt64(self.heldDatagrams.removeAll())
    }

    private func deliver(_ datagram: ObjectDatagram, payload: Bytes, to subscription: Subscription) {
        self.totals.objectsReceived &+= 1
        self.totals.payloadBytesReceived &+= UInt64(payload.count)
        subscription.receive(datagram, payload: payload)
    }

    private func receiveDatagram(_ bytes: RawSpan) {
        do throws(MoQWireError) {
            switch try self.datagrams.decode(bytes) {
            case .padding:
                break
            case .object(let datagram, let payloadOffset):
                let payload = bytes.extracting(payloadOffset...)
                guard let subscription = self.aliases[datagram.trackAlias] else {
                    self.hold(datagram, payload: payload)
                    return
                }
                self.deliver(datagram, payload: Bytes(copying: payload), to: subscription)
            }
        } catch {
            self.close(ProtocolViolation(error.code, error.reason))
        }
    }
}

extension MoQSession {
    /// A bidirectional stream of the peer has to say what it is for, within a time.
    ///
    /// All have the same time, so that one timer for the one that came first is enough.
    private func expectFirstMessage(on stream: MessageStream) {
        if self.openingStreams.count > Self.usualOpeningStreams {
            // One that says nothing keeps those behind it in the queue.
            self.openingStreams.removeAll { $0.stream?.isUndecided != true }
        }
        let deadline = self.loop.now.advanced(by: self.configuration.firstMessageTimeout)
        self.openingStreams.append(OpeningStream(stream: stream, deadline: deadline))
        self.watchOpeningStreams()
    }

    /// A bidirectional stream of the peer has said what it is for.
    func firstMessageCame() {
        while let first = self.openingStreams.first, first.stream?.isUndecided != true {
            self.openingStreams.removeFirst()
        }
        if self.openingStreams.isEmpty {
            self.openingTimer?.cancel()
            self.openingTimer = nil
        }
    }

    /// Beyond so many the queue is looked through for what is over.
    private static let usualOpeningStreams = 2_048

    private func watchOpeningStreams() {
        guard self.openingTimer == nil, let deadline = self.openingStreams.first?.deadline else {
            return
        }
        self.openingTimer = self.loop.schedule(at: deadline) { [weak self] in
            self?.openingTimerFired()
        }
    }

    private func openingTimerFired() {
        self.openingTimer = nil
        let now = self.loop.now
        while let first = self.openingStreams.first, first.deadline <= now || first.stream?.isUndecided != true {
            self.openingStreams.removeFirst()
            guard let stream = first.stream, stream.isUndecided else {
                continue
            }
            guard self.takesRequests else {
                // It is this side that makes it wait.
                let deadline = now.advanced(by: self.configuration.firstMessageTimeout)
                self.openingStreams.append(OpeningStream(stream: stream, deadline: deadline))
                break
            }
            self.totals.streamsWithoutMessage &+= 1
            stream.abort(.cancelled)
        }
        self.watchOpeningStreams()
    }
}

/// A bidirectional stream of the peer that has not said what it is for.
struct OpeningStream {
    weak var stream: MessageStream?
    var deadline: LoopInstant
}

extension MoQSession: WebTransportHandler {
    /// A unidirectional stream of the peer. For the transport to call.
    public func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        guard self.isOpen else {
            return
        }
        stream.reader = IngressStream(session: self, stream: stream)
    }

    /// A bidirectional stream of the peer. For the transport to call.
    public func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {
        guard self.isOpen else {
            return
        }
        let message = MessageStream(
            session: self,
            output: stream.send,
            input: stream.receive,
            purpose: .undecided,
            isOpenedByUs: false
        )
        self.expectFirstMessage(on: message)
        message.activate()
    }

    /// A datagram of the peer. For the transport to call.
    public func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {
        guard self.isOpen else {
            return
        }
        self.receiveDatagram(bytes)
    }

    /// The peer is there, so what waited for that is done. For the transport to call.
    public func transportDidConfirm(_ transport: any WebTransportSession) {
        guard self.isOpen else {
            return
        }
        self.releaseHeldRequests()
    }

    /// The transport is over. For the transport to call.
    public func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {
        self.transportClosed(info)
    }
}
