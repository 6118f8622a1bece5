// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
internal import MoQWire

// What the peer says about the subscription.
extension TrackPublisher: OutgoingRequest {
    var kind: RequestKind {
        .publish
    }

    var acceptedLink: RequestLink? {
        let isAccepted = self.machine.state == .established || self.machine.state == .ending
        return isAccepted && self.link?.isOurs == false ? self.link : nil
    }

    var requestedTrack: FullTrackName? {
        self.track
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
                expires: self.session.profile.publishSaysExpiry ? self.request?.expires : nil,
                largestObject: self.largestObject,
                forward: self.isForwarding ? nil : false,
                tokens: self.tokens,
                properties: self.request?.properties ?? PropertyList()
            )
        )
    }

    func launched(_ link: RequestLink) {
        self.link = link
        self.joiningLocation = self.largestObject
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
        self.delivery.subscriberPriority = self.subscriberPriority
        self.groupOrder = ok.parameters.groupOrder ?? self.groupOrder
        self.isForwarding = ok.parameters.forward ?? true
        self.filter = ObjectFilter(ok.parameters.filter, largest: self.largestObject)
        self.firstWanted = Self.start(of: ok.parameters.filter)
        self.narrowing = NarrowingRange(ok.parameters.filter, communicated: self.joiningLocation)
        self.updateTimeouts()
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
            try self.apply(update)
        case .ending, .done, .ended:
            self.link?.refuseUpdate(update.requestID, .doesNotExist, reason: "the subscription is ending")
        }
    }

    func applyHeldUpdates() {
        let updates = self.heldUpdates
        self.heldUpdates = []
        do throws(ProtocolViolation) {
            for update in updates {
                if self.machine.state == .established {
                    try self.apply(update)
                } else {
                    self.link?.refuseUpdate(update.requestID, .doesNotExist, reason: "the subscription is ending")
                }
            }
        } catch {
            self.session.close(error)
        }
    }

    /// The request that the updates were for is over; they are not answered, but the peer may make others.
    func dropHeldUpdates() {
        for _ in self.heldUpdates {
            self.session.peerRequestEnded()
        }
        self.heldUpdates = []
    }

    /// What an update changes. One that says everything anew changes only what is different.
    ///
    /// - Throws: PROTOCOL_VIOLATION for such an update that widens the subscription (draft-14 §9.10).
    private func changes(in update: RequestUpdate) throws(ProtocolViolation) -> SubscriptionParameters {
        var changes = update.parameters
        guard !self.session.profile.updatesAreAnswered else {
            return changes
        }
        let before = self.narrowing.range
        guard self.narrowing.narrow(to: changes.filter ?? .unfiltered) else {
            throw .protocolViolation("SUBSCRIBE_UPDATE widens the subscription, or ends before it starts")
        }
        if self.narrowing.range == before {
            changes.filter = nil
        } else {
            // A relative filter may have been resolved later than the peer can know.
            changes.filter = self.narrowing.filter(from: self.filter.range.start)
        }
        if changes.subscriberPriority == self.subscriberPriority {
            changes.subscriberPriority = nil
        }
        if changes.forward == self.isForwarding {
            changes.forward = nil
        }
        return changes
    }

    private func apply(_ update: RequestUpdate) throws(ProtocolViolation) {
        let kind = self.link?.kind ?? .subscribe
        if let refusal = self.session.refusal(of: update, changing: kind, track: self.track) {
            self.refuse(update, refusal.code, reason: refusal.reason)
            return
        }
        let wanted = try self.changes(in: update)
        let wasForwarding = self.isForwarding
        if let largest = self.delegate?.trackPublisherLargestObject(self) {
            self.noteLargest(largest)
        }
        if let filter = wanted.filter {
            let resolved = ObjectFilter(filter, largest: self.largestObject)
            guard !resolved.isExhausted(largest: self.largestObject) else {
                self.refuse(update, .invalidRange, reason: "everything in the range has been published")
                return
            }
            self.filter = resolved
            self.firstWanted = Self.start(of: filter) ?? self.firstWanted
            self.parameters.filter = filter
            for subgroup in self.subgroups {
                subgroup.filterChanged()
            }
        }
        if let priority = wanted.subscriberPriority {
            self.parameters.subscriberPriority = priority
            self.subscriberPriority = priority
            self.delivery.subscriberPriority = priority
        }
        if let forward = wanted.forward {
            self.parameters.forward = forward
            self.isForwarding = forward
        }
        self.parameters.objectDeliveryTimeout = wanted.objectDeliveryTimeout ?? self.parameters.objectDeliveryTimeout
        self.parameters.subgroupDeliveryTimeout =
            wanted.subgroupDeliveryTimeout ?? self.parameters.subgroupDeliveryTimeout
        self.updateTimeouts()
        self.parameters.newGroupRequest = wanted.newGroupRequest ?? self.parameters.newGroupRequest
        if self.isForwarding, !wasForwarding, self.session.profile.joiningRule == .forwardState {
            self.joiningLocation = self.largestObject
        }
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
    private func refuse(_ update: RequestUpdate, _ code: RequestErrorCode, reason: String) {
        self.link?.refuseUpdate(update.requestID, code, reason: reason)
        let isAnswered = self.session.profile.updatesAreAnswered
        guard isAnswered || code != .invalidRange else {
            self.reachedEndOfRange()
            return
        }
        self.plannedEnd = .rangeEnded
        let action = self.machine.end(
            isAnswered ? .updateFailed : .unauthorized,
            reason: isAnswered ? "the update could not be satisfied" : reason
        )
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
