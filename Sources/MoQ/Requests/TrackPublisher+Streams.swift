// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire
internal import PacketLoop
public import WebTransport

// Objects, their streams, and the bound on what may wait.
extension TrackPublisher {
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
        self.delivery.isDescending = self.groupOrder == .descending
        do throws(WebTransportError) {
            let stream = try self.delivery.openStream(
                on: self.session.transport,
                publisherPriority: description.publisherPriority,
                group: description.group,
                subgroup: description.subgroup
            )
            guard self.machine.streamOpened() else {
                self.leaveSchedule(subgroup, stream)
                stream.reset(code: StreamResetCode.cancelled.wireValue(in: self.session.profile))
                return nil
            }
            self.session.totals.streamsOpened &+= 1
            self.session.totals.liveStreamsOut += 1
            return stream
        } catch {
            self.session.totals.subgroupsWithoutStream &+= 1
            if error.code == .streamLimit {
                self.fellBehind("the subscriber's streams pile up")
            }
            return nil
        }
    }

    /// The stream of a subgroup does not wait to be sent any more.
    private func leaveSchedule(_ subgroup: EgressSubgroup, _ stream: SendStream) {
        let description = subgroup.description
        self.delivery.close(
            stream,
            publisherPriority: description.publisherPriority,
            group: description.group,
            subgroup: description.subgroup
        )
    }

    /// A subgroup has nothing left to send.
    func subgroupClosed(_ subgroup: EgressSubgroup) {
        if let stream = subgroup.stream {
            self.leaveSchedule(subgroup, stream)
        }
        self.perform(self.machine.subgroupClosed())
    }

    /// A subgroup is over. `wasSent` says that ``subgroupClosed(_:)`` was called for it.
    func remove(_ subgroup: EgressSubgroup, hadStream: Bool, wasFinished: Bool, wasSent: Bool) {
        if wasFinished {
            self.finishedSubgroups -= 1
        }
        if subgroup.index < self.subgroups.count, self.subgroups[subgroup.index] === subgroup {
            let last = self.subgroups.removeLast()
            if last !== subgroup {
                last.index = subgroup.index
                self.subgroups[subgroup.index] = last
            }
        }
        if let stream = subgroup.stream {
            self.leaveSchedule(subgroup, stream)
        }
        if hadStream {
            self.takenByClosedStreams &+= subgroup.stream?.bytesTaken ?? 0
            self.session.totals.liveStreamsOut -= 1
        }
        if !wasSent {
            self.perform(self.machine.subgroupClosed())
        }
        guard hadStream else {
            return
        }
        self.perform(self.machine.streamDelivered())
        self.streamDidDrain()
        self.streamClosed?()
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
        if self.queuedEstimate > configuration.trackHighWatermark {
            self.isAboveHighWatermark = true
            self.watchForStall()
        }
    }

    /// A subgroup is complete. Many small ones weigh as much as many bytes: the peer has to permit and confirm them.
    func subgroupFinished() {
        self.finishedSubgroups += 1
        if self.finishedSubgroups >= self.session.configuration.maxSubgroupsPerTrack / 4 {
            self.isAboveHighWatermark = true
            self.watchForStall()
        }
    }

    /// A stream drained or is gone.
    func streamDidDrain() {
        guard self.isAboveHighWatermark else {
            return
        }
        let configuration = self.session.configuration
        // The number first: the bytes of many subgroups take long to add up, and each of them comes here.
        guard self.machine.state == .established || self.machine.state == .ending,
            self.finishedSubgroups <= configuration.maxSubgroupsPerTrack / 8
        else {
            return
        }
        self.queuedEstimate = self.queuedByteCount
        guard self.queuedEstimate <= configuration.trackLowWatermark else {
            return
        }
        self.nextMeasurement = configuration.trackHighWatermark
        self.isAboveHighWatermark = false
        self.delegate?.trackPublisherDidDrain(self)
    }

    func watchForStall() {
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
            return self.isAboveHighWatermark && self.queuedByteCount > 0
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
        self.openSubgroup(subgroup)
    }

    /// The same, for callers that make use of what the consumer is.
    package func openSubgroup(_ subgroup: SubgroupDescription) -> EgressSubgroup? {
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
            guard self.subgroups.count < self.session.configuration.maxSubgroupsPerTrack else {
                self.fellBehind("\(self.subgroups.count) subgroups wait for a subscriber that does not read them")
                return nil
            }
            let egress = EgressSubgroup(publisher: self, description: subgroup, isPartial: verdict == .partial)
            egress.index = self.subgroups.count
            self.subgroups.append(egress)
            self.machine.subgroupBegan()
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
        if datagram.status == .normal {
            self.send(datagram, payload)
        } else if let adapted = datagram.adapted(to: self.session.profile.data) {
            self.send(adapted, payload)
        }
    }

    private func send(_ datagram: ObjectDatagram, _ payload: Bytes) {
        self.delivery.isDescending = self.groupOrder == .descending
        let priority = datagram.publisherPriority ?? self.defaultPriority
        let mayLeavePriorityOut = self.session.profile.data.prioritiesMayBeLeftOut
        let isQueued = self.session.send(
            datagram,
            payload: payload,
            alias: self.trackAlias,
            publisherPriority: mayLeavePriorityOut ? datagram.publisherPriority : priority,
            lifetime: self.timeouts.datagram,
            order: self.delivery.order(
                of: Location(group: datagram.groupID, object: datagram.objectID),
                publisherPriority: priority,
                flow: self.trackAlias.rawValue
            )
        )
        if isQueued {
            self.countObject()
            self.session.totals.payloadBytesSent &+= UInt64(payload.count)
        }
    }

    /// Ends the track for this subscriber in the same way, see ``end(_:reason:)``.
    public func trackEnded(_ end: TrackEnd) {
        self.end(end.status, reason: end.reason)
    }

    /// Nothing more can pass the filter.
    func reachedEndOfRange() {
        self.plannedEnd = .rangeEnded
        self.end(.subscriptionEnded, reason: "the end of the range was reached")
    }
}
