// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// A track that this process publishes, and its subscribers: the relay, or whoever connected to us. (loop)
///
/// What is sent goes to every subscriber at once and is not kept. The source sends only while somebody listens and
/// nobody's queue is full; `demandChanged` tells it when to look again.
final class LiveTrack {
    /// One subscription.
    private final class Outlet {
        let publisher: TrackPublisher
        var subgroup: (any SubgroupConsumer)?

        init(publisher: TrackPublisher) {
            self.publisher = publisher
        }
    }

    /// How many streams of one session may be under way before the next group waits.
    private static let maximumStreams = 128

    /// Called when a subscriber came, left, drained its queue, or turned the flow of objects on or off.
    var demandChanged: () -> Void = {}
    /// Called once, after ``end()``, when no subscriber is left: how many got everything, and how many did not.
    var didDeliver: (_ complete: Int, _ incomplete: Int) -> Void = { _, _ in }

    /// The largest location that was sent.
    private(set) var largest: Location?
    /// How many subscriptions there have been.
    private(set) var subscriberCount = 0
    /// Whether ``end()`` was called.
    private(set) var hasEnded = false

    private var outlets: [Outlet] = []
    private var openGroup: SubgroupDescription?
    private var completeCount = 0
    private var incompleteCount = 0

    /// Whether somebody wants objects now.
    var hasReaders: Bool {
        self.outlets.contains { $0.publisher.forward }
    }

    /// Whether somebody's queue is full. The slowest subscriber sets the pace, until its session gives it up.
    var isCongested: Bool {
        self.outlets.contains { $0.publisher.isAboveHighWatermark }
    }

    /// Whether nobody has so many streams under way that another group had better wait: a peer allows only so many, and
    /// a group that finds no stream is lost.
    var mayBeginGroup: Bool {
        self.outlets.allSatisfy { $0.publisher.session.counters.liveStreamsOut < Self.maximumStreams }
    }

    /// Whether a group was lost because a peer allowed no further stream.
    var hasLostGroups: Bool {
        self.outlets.contains { $0.publisher.session.counters.subgroupsWithoutStream > 0 }
    }

    /// How many bytes wait in the fullest queue.
    var queuedByteCount: Int {
        self.outlets.map(\.publisher.queuedByteCount).max() ?? 0
    }

    /// Adds a subscriber that was just accepted.
    func attach(_ publisher: TrackPublisher) {
        guard !publisher.isEnded else { return }
        let outlet = Outlet(publisher: publisher)
        self.outlets.append(outlet)
        self.subscriberCount += 1
        publisher.delegate = self
        self.join(outlet)
        self.demandChanged()
    }

    /// Begins a group; its objects follow on one stream per subscriber.
    func beginGroup(_ group: UInt64) {
        let description = SubgroupDescription(group: group, containsEndOfGroup: true)
        self.openGroup = description
        for outlet in self.outlets {
            outlet.subgroup = outlet.publisher.beginSubgroup(description)
        }
    }

    /// Sends an object of the open group.
    func send(objectID: UInt64, payload: ObjectCutter.Piece) {
        guard let group = self.openGroup?.group else { return }
        let header = ObjectHeader(objectID: objectID, payloadLength: UInt64(payload.count))
        self.largest = Location(group: group, object: objectID)
        for outlet in self.outlets {
            guard let subgroup = outlet.subgroup else { continue }
            guard outlet.publisher.forward else {
                // The object is left out, so the stream must not go on after it. When the subscriber wants objects
                // again, the rest of the group gets a new one.
                outlet.subgroup = nil
                subgroup.reset(.cancelled)
                continue
            }
            subgroup.beginObject(header)
            for part in payload.parts {
                subgroup.receive(payload: part)
            }
        }
    }

    /// Ends the open group.
    func endGroup() {
        self.openGroup = nil
        for outlet in self.outlets {
            let subgroup = outlet.subgroup
            outlet.subgroup = nil
            subgroup?.finish()
        }
    }

    /// Sends an object in a datagram.
    func sendDatagram(location: Location, endsGroup: Bool, payload: Bytes) {
        self.largest = location
        for outlet in self.outlets {
            let header = ObjectDatagram(
                trackAlias: TrackAlias(rawValue: 0),
                groupID: location.group,
                objectID: location.object,
                publisherPriority: 128,
                endsGroup: endsGroup
            )
            outlet.publisher.receive(header, payload: payload)
        }
    }

    /// Ends the track for everybody: the subscribers get what is queued, then the end.
    func end() {
        guard !self.hasEnded else { return }
        self.endGroup()
        self.end(.trackEnded, reason: "")
    }

    /// Ends a track of datagrams. `location` is the one after the last object.
    ///
    /// What is queued goes out first, since the end would overtake it. Then a mark that cannot get lost says where the
    /// track ends, so that subscribers notice when the last objects are missing.
    func endDatagrams(at location: Location, on loop: PacketLoop) {
        SessionFlush.wait(for: self.outlets.map(\.publisher.session), on: loop) { [weak self] in
            guard let self, !self.hasEnded else { return }
            self.beginGroup(location.group)
            let mark = ObjectHeader(objectID: location.object, payloadLength: 0, status: .endOfTrack)
            for outlet in self.outlets {
                outlet.subgroup?.beginObject(mark)
            }
            self.end()
        }
    }

    /// Ends the track before its time: the subscribers learn that it is not complete.
    func abort(reason: String) {
        guard !self.hasEnded else { return }
        self.openGroup = nil
        for outlet in self.outlets {
            let subgroup = outlet.subgroup
            outlet.subgroup = nil
            subgroup?.reset(.cancelled)
        }
        self.end(.internalError, reason: reason)
    }

    private func end(_ status: PublishDoneStatus, reason: String) {
        self.hasEnded = true
        for outlet in self.outlets {
            outlet.publisher.end(status, reason: reason)
        }
        self.reportIfDelivered()
    }

    private func reportIfDelivered() {
        guard self.hasEnded, self.outlets.isEmpty else { return }
        let report = self.didDeliver
        self.didDeliver = { _, _ in }
        report(self.completeCount, self.incompleteCount)
    }

    /// Opens the current group for a subscriber that came, or wants objects again, in the middle of it.
    private func join(_ outlet: Outlet) {
        guard var description = self.openGroup, outlet.subgroup == nil, outlet.publisher.forward else { return }
        let last = self.largest.flatMap { $0.group == description.group ? $0.object : nil }
        description.isFirstObject = last == nil
        description.precedingObject = last
        outlet.subgroup = outlet.publisher.beginSubgroup(description)
    }
}

extension LiveTrack: TrackPublisherDelegate {
    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        if forward, let outlet = self.outlets.first(where: { $0.publisher === publisher }) {
            self.join(outlet)
        }
        self.demandChanged()
    }

    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        self.largest
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.demandChanged()
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        guard let position = self.outlets.firstIndex(where: { $0.publisher === publisher }) else { return }
        self.outlets.remove(at: position)
        if self.hasEnded {
            switch end {
            case .finished, .rangeEnded: self.completeCount += 1
            case .cancelledByPeer, .tooFarBehind, .sessionClosed: self.incompleteCount += 1
            }
            self.reportIfDelivered()
        } else {
            self.demandChanged()
        }
    }
}
