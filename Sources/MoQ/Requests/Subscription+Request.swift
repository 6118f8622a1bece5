// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
internal import MoQWire
internal import PacketLoop

// What the peer says about the subscription.
extension Subscription: OutgoingRequest {
    var kind: RequestKind {
        .subscribe
    }

    var acceptedLink: RequestLink? {
        self.state == .active && self.link?.isOurs == false ? self.link : nil
    }

    var requestedTrack: FullTrackName? {
        self.track
    }

    var isWithdrawn: Bool {
        self.machine.state == .ended
    }

    func openingMessage(id: RequestID) -> MoQMessage {
        .subscribe(
            Subscribe(
                requestID: id,
                track: self.track,
                parameters: self.request.parameters,
                tokens: self.request.tokens
            )
        )
    }

    func launched(_ link: RequestLink) {
        self.link = link
        self.session.subscribedTracks[self.track] = self
    }

    func launchFailed(_ error: MoQError) {
        if self.machine.terminated() == .pending {
            self.fail(error)
        }
    }

    func receive(_ message: MoQMessage) throws(ProtocolViolation) {
        switch message {
        case .subscribeOk(let ok):
            guard self.link?.kind == .subscribe else {
                throw .protocolViolation("SUBSCRIBE_OK for a PUBLISH")
            }
            if self.state == .pending, let type = self.session.mandatoryPropertyNotUnderstood(in: ok.properties) {
                self.session.retireAlias(ok.trackAlias)
                self.cancel(
                    MoQError(
                        code: .rejected,
                        message: "mandatory property \(type) is not understood",
                        requestError: .unsupportedExtension
                    )
                )
                return
            }
            self.largestObject = ok.largestObject
            self.properties = ok.properties
            try self.activate(ok.trackAlias)
            let response = self.response
            self.response = nil
            response?(.success(ok))
            self.session.deliverHeldStreams(of: self, ok.trackAlias)
        case .requestError(let error):
            if let response = self.updates.take(error.requestID) {
                response(.failure(MoQError(error)))
                return
            }
            try self.machine.rejected()
            self.link?.finish()
            self.link?.retire()
            self.fail(MoQError(error))
        case .requestOk(let ok):
            guard let response = self.updates.take(ok.requestID) else {
                throw .protocolViolation("REQUEST_OK for a SUBSCRIBE")
            }
            response(.success(ok))
        case .publishDone(let done):
            try self.receive(done)
        case .requestUpdate(let update):
            if self.link?.kind == .publish {
                self.link?.acceptUpdate(update.requestID)
            } else {
                self.link?.refuseUpdate(update.requestID, .notSupported, reason: "not the sender of the request")
            }
        default:
            throw .protocolViolation("message that does not belong to a subscription")
        }
    }

    private func receive(_ done: PublishDone) throws(ProtocolViolation) {
        let action = try self.machine.receivedDone(
            SubscriptionMachine.Done(
                status: done.status,
                streamCount: done.streamCount,
                reason: done.reason.text
            ),
            now: MonotonicInstant(microseconds: self.session.loop.now.microseconds)
        )
        self.link?.finish()
        self.perform(action)
    }

    func peerFinished() {
        self.link?.finish()
        if self.machine.state != .draining {
            self.lost("the publisher closed the request")
        }
    }

    func peerCancelled() {
        if self.machine.state != .draining {
            self.lost("the publisher cancelled the request")
        }
    }

    func sessionClosed(_ closure: MoQSessionClosure) {
        self.link?.retire()
        switch self.machine.terminated() {
        case .pending:
            self.fail(MoQError(closure), .sessionClosed)
        case .established, .draining:
            self.end(
                TrackEnd(cause: .sessionClosed, status: .internalError, reason: "session closed: \(closure)")
            )
        case .ended:
            break
        }
    }
}
