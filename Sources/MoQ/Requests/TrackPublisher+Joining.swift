// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
internal import MoQWire

// Joining fetches of what came before the subscription.
extension TrackPublisher {
    /// A joining FETCH refers to this subscription. Waits as long as the SUBSCRIBE is not answered.
    ///
    /// - Throws: PROTOCOL_VIOLATION where the draft has it that the subscription's filter forbids joining.
    func receive(_ join: WaitingJoin) throws(ProtocolViolation) {
        switch self.machine.state {
        case .requested:
            try self.checkFilter()
            self.waitingJoins.removeAll { !$0.isPending }
            self.waitingJoins.append(join)
        case .established, .ending:
            try self.resolve(join)
        case .offered, .done, .ended:
            join.refuse(.invalidJoiningRequestID, reason: "the subscription is not established")
        }
    }

    /// The SUBSCRIBE was answered, or is over.
    func settleWaitingJoins() {
        let joins = self.waitingJoins
        self.waitingJoins = []
        do throws(ProtocolViolation) {
            for join in joins {
                try self.receive(join)
            }
        } catch {
            self.session.close(error)
        }
    }

    private func checkFilter() throws(ProtocolViolation) {
        guard self.session.profile.joiningRule != .largestObjectFilter || self.parameters.filter == .nextObject else {
            throw .protocolViolation("joining FETCH of a subscription whose filter is not Largest Object")
        }
    }

    private func resolve(_ join: WaitingJoin) throws(ProtocolViolation) {
        try self.checkFilter()
        guard self.session.profile.joiningRule != .forwardState || self.isForwarding else {
            join.refuse(.invalidRange, reason: "the subscription has forward state 0")
            return
        }
        guard let location = self.joiningLocation else {
            join.refuse(.invalidRange, reason: "nothing had been published when the subscription began")
            return
        }
        let range: FetchRange?
        switch join.request.target {
        case .relativeJoining(_, let groupsBack):
            range = FetchRange(groupsBack: groupsBack, joining: location)
        case .absoluteJoining(_, let group):
            range = FetchRange(startGroup: group, joining: location)
        case .standalone:
            range = nil
        }
        guard let range else {
            join.refuse(.invalidRange, reason: "the range begins after the subscription")
            return
        }
        guard join.take() else {
            return
        }
        self.session.begin(
            join.request,
            join.link,
            track: self.track,
            range: range,
            heldUpdates: join.heldUpdates
        )
    }
}
