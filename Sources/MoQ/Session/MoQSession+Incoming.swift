// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
internal import MoQWire

// What the peer asks for.
extension MoQSession {
    /// The peer used a request id.
    func checkPeerRequest(_ id: RequestID) throws(ProtocolViolation) {
        try self.ledger.receivedRequest(id)
    }

    /// A request of the peer is over: it may make another.
    func peerRequestEnded() {
        guard let limit = self.ledger.requestEnded(), let control = self.control else {
            return
        }
        self.send(.maxRequestID(MaxRequestID(maximum: limit)), on: control)
    }

    /// A request is over: forgets it.
    func retire(_ link: RequestLink) {
        self.requests[link.id] = nil
        if link.stream.isRequestStream {
            link.stream.requestEnded()
        }
        if let namespace = link.namespace, self.announcements[link.id.issuer]?[namespace] == link.id {
            self.announcements[link.id.issuer]?[namespace] = nil
        }
        guard !link.isOurs else {
            self.tokenRegistry.ended(link.id)
            return
        }
        self.peerPrefixes[link.id] = nil
        self.peerRequestEnded()
    }

    /// A request of the peer, the first message on its stream where it has one.
    func receiveRequest(_ message: MoQMessage, on stream: MessageStream) throws(ProtocolViolation) {
        guard let id = message.requestID, let kind = message.requestKind else {
            throw .protocolViolation("request without an id")
        }
        try self.checkPeerRequest(id)
        var message = message
        try self.resolveTokens(of: &message)
        let link = RequestLink(
            session: self,
            id: id,
            kind: kind,
            isOurs: false,
            stream: stream,
            namespace: message.namespace
        )
        guard self.machine.receivedRequest() == .handle else {
            link.refuse(.goingAway, reason: "GOAWAY was sent")
            return
        }
        guard self.mayHaveMoreRequests else {
            link.refuse(.excessiveLoad, reason: "too many requests")
            return
        }
        switch message {
        case .subscribe(let subscribe):
            try self.receive(subscribe, link)
        case .publish(let publish):
            try self.receive(publish, link)
        case .publishNamespace(let announcement):
            self.receive(announcement, link)
        case .subscribeNamespace(let request):
            self.receive(request, link)
        case .fetch(let request):
            try self.receive(request, link)
        case .trackStatus(let request):
            if let refusal = self.refusal(of: .trackStatus, track: request.track, tokens: request.tokens) {
                link.refuse(refusal.code, reason: refusal.reason)
                return
            }
            let entry = ReceivedTrackStatus(link: link, request: request)
            self.register(entry, link)
            let question = IncomingTrackStatus(entry: entry)
            if let source = self.sources.source(of: question.track) {
                source.receive(question)
            } else {
                self.handler?.session(self, didReceive: question)
            }
        case .subscribeTracks(let request):
            self.receive(
                SubscribeNamespace(
                    requestID: request.requestID,
                    prefix: request.prefix,
                    interest: .tracks,
                    forward: request.forward,
                    tokens: request.tokens
                ),
                link
            )
        default:
            throw .protocolViolation("message that makes no request")
        }
    }

    /// Whether the peer may have one more request open, where no limit of the draft says so already.
    private var mayHaveMoreRequests: Bool {
        let limit = self.configuration.maxPeerRequests
        guard !self.profile.hasRequestLimit, self.requests.count >= limit else {
            return true
        }
        return self.requests.keys.count { $0.issuer != self.role } < limit
    }

    /// The request is in the session's hands from now on.
    func register(_ request: any SessionRequest, _ link: RequestLink) {
        self.requests[link.id] = request
        if link.stream.isRequestStream {
            link.stream.request = request
        }
    }

    private func receive(_ request: PublishNamespace, _ link: RequestLink) {
        if let refusal = self.refusal(of: link.kind, namespace: request.namespace, tokens: request.tokens) {
            link.refuse(refusal.code, reason: refusal.reason)
            return
        }
        if self.profile.namespacesStandForRequests {
            guard self.announcements[self.role.peer]?[request.namespace] == nil else {
                // The end of one could not be told from the end of the other.
                link.refuse(.internalError, reason: "the namespace is announced already")
                return
            }
            self.announcements[self.role.peer, default: [:]][request.namespace] = link.id
        }
        let entry = ReceivedAnnouncement(link: link, request: request)
        self.register(entry, link)
        if let subscription = self.namespaceSubscription(covering: request.namespace) {
            subscription.receive(entry)
        } else {
            self.handler?.session(self, didReceive: IncomingPublishNamespace(entry: entry))
        }
    }

    /// Our subscription that a PUBLISH_NAMESPACE of the peer is a report for, where such messages are reports.
    private func namespaceSubscription(covering namespace: TrackNamespace) -> NamespaceSubscription? {
        guard !self.profile.hasNamespaceReports else {
            return nil
        }
        return self.namespaceSubscriptions.first { $0.isEstablished && namespace.hasPrefix($0.prefix) }
    }

    private func receive(_ request: Subscribe, _ link: RequestLink) throws(ProtocolViolation) {
        if let refusal = self.refusal(of: link.kind, track: request.track, tokens: request.tokens) {
            link.refuse(refusal.code, reason: refusal.reason)
            return
        }
        guard !self.publishedTracks.contains(request.track) else {
            // Drafts without a code for it have it that a publisher treats this as a violation (draft-14 §9.7).
            let hasCode = self.profile.errors.request.contains { $0.code == .duplicateSubscription }
            guard hasCode || !self.isServing(request.track) else {
                throw .protocolViolation("second SUBSCRIBE for the same track")
            }
            link.refuse(.duplicateSubscription, reason: "there is a subscription to this track already")
            return
        }
        let publisher = TrackPublisher(link: link, request: request)
        self.register(publisher, link)
        try self.deliverHeldJoins(of: publisher, link.id)
        let question = IncomingSubscribe(entry: publisher, request: request)
        if let source = self.sources.source(of: request.track) {
            source.receive(question)
        } else {
            self.handler?.session(self, didReceive: question)
        }
    }

    private func receive(_ request: Publish, _ link: RequestLink) throws(ProtocolViolation) {
        if let owner = self.aliases[request.trackAlias], owner.track != request.track {
            throw ProtocolViolation(
                .duplicateTrackAlias,
                "PUBLISH uses track alias \(request.trackAlias) of another track"
            )
        }
        if let refusal = self.refusal(of: link.kind, track: request.track, tokens: request.tokens) {
            link.refuse(refusal.code, reason: refusal.reason)
            self.retireAlias(request.trackAlias)
            return
        }
        let isEstablished = self.subscribedTracks[request.track]?.state == .active
        guard !isEstablished, !self.offeredTracks.contains(request.track) else {
            link.refuse(.duplicateSubscription, reason: "there is a subscription to this track already")
            return
        }
        if let type = self.mandatoryPropertyNotUnderstood(in: request.properties) {
            link.refuse(.unsupportedExtension, reason: "mandatory property \(type) is not understood")
            self.retireAlias(request.trackAlias)
            return
        }
        let offer = PublishOffer(link: link, request: request)
        self.offeredTracks.insert(request.track)
        self.register(offer, link)
        self.handler?.session(self, didReceive: IncomingPublish(entry: offer))
    }

    /// Whether the peer has a subscription to the track that it asked for itself.
    private func isServing(_ track: FullTrackName) -> Bool {
        self.requests.values.contains { request in
            guard let publisher = request as? TrackPublisher else {
                return false
            }
            return publisher.track == track && publisher.link?.isOurs == false
        }
    }

    /// A property that forbids to handle the track, since nobody here understands it (draft-18 §2.5.1). Drafts without
    /// a code for that have no such properties.
    func mandatoryPropertyNotUnderstood(in properties: PropertyList) -> UInt64? {
        guard !properties.isEmpty, self.profile.hasMandatoryProperties else {
            return nil
        }
        let understood = self.configuration.understoodMandatoryProperties
        return properties.mandatoryTypes.first { !understood.contains($0) }
    }

    private func receive(_ request: SubscribeNamespace, _ link: RequestLink) {
        if let refusal = self.refusal(of: link.kind, namespace: request.prefix, tokens: request.tokens) {
            link.refuse(refusal.code, reason: refusal.reason)
            return
        }
        guard !self.overlaps(request.prefix, with: link) else {
            link.refuse(.prefixOverlap, reason: "the prefix overlaps with another one of this session")
            return
        }
        self.peerPrefixes[link.id] = (link.kind, request.prefix)
        let feed = NamespaceFeed(link: link, request: request)
        self.register(feed, link)
        self.handler?.session(self, didReceive: IncomingSubscribeNamespace(entry: feed))
    }

    /// Whether the peer follows a prefix with another request of the same kind that overlaps with this one. Each kind of request
    /// has an overlap space of its own.
    func overlaps(_ prefix: TrackNamespace, with link: RequestLink) -> Bool {
        self.peerPrefixes.contains { id, other in
            id != link.id && other.kind == link.kind && other.prefix.overlaps(prefix)
        }
    }
}
