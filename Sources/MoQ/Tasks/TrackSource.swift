// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import PacketLoop
import WebTransport

/// A track that a task publishes: what ``TrackWriter`` does on the loop. (loop)
///
/// A session has at most one subscription to a track at a time, so there is one ``TrackPublisher`` or none. A relay
/// subscribes for all its subscribers.
final class TrackSource {
    /// What a task has to do that wants something of the source.
    enum Step<Value: Sendable>: Sendable {
        case done(Value)
        case wait(Waiter)
        case failed(MoQError)
    }

    /// How many streams of the session may be under way before another group waits: a peer allows only so many, and a
    /// group that finds no stream is lost.
    private static let maximumStreams = 128
    /// How many fetches are answered at a time; each holds on to what it has not sent.
    private static let maximumFetches = 16

    let track: FullTrackName
    let session: MoQSession
    let properties: PropertyList
    /// Whether the namespace was announced for it.
    var isAnnounced = false
    /// The largest location that was written.
    private(set) var largest: Location?
    /// The largest group that was begun, with or without objects.
    private var newestGroup: UInt64?
    /// Whether a subscriber has asked for a new group since then.
    private var wantsGroup = false
    /// Where objects go while somebody is subscribed.
    private(set) var publisher: TrackPublisher?

    /// What is kept for those who fetch it; nil when nothing is.
    private var written: WrittenObjects?
    private var fetchCount = 0
    private var open: [SubgroupSource] = []
    private var waiters: [Waiter] = []
    private var isEnding = false
    private var failure: MoQError?
    /// How the last subscription ended, when it did after the end of the track.
    private var lastEnd: TrackPublisherEnd?

    /// `kept` is how many bytes to keep for those who fetch them.
    init(track: FullTrackName, session: MoQSession, properties: PropertyList, keeping kept: Int) {
        self.track = track
        self.session = session
        self.properties = properties
        self.written = kept > 0 ? WrittenObjects(capacity: kept) : nil
    }

    // MARK: Subscribers

    /// Somebody wants the track.
    func receive(_ request: IncomingSubscribe) {
        guard !self.isOver else {
            request.reject(.doesNotExist, reason: "the track has ended")
            return
        }
        let publisher = request.accept(largest: self.largest, properties: self.properties)
        guard !publisher.isEnded else {
            return
        }
        self.publisher?.delegate = nil
        self.publisher = publisher
        publisher.delegate = self
        publisher.streamClosed = { [weak self] in
            self?.wakeAll()
        }
        self.join()
        self.noteGroupRequest(request.request.parameters.newGroupRequest)
        self.wakeAll()
    }

    /// A subscriber may have asked for a new group (draft-18 §10.2.13, "NEW GROUP REQUEST Parameter").
    private func noteGroupRequest(_ group: UInt64?) {
        guard let group, self.properties.allowsDynamicGroups, group == 0 || self.newestGroup.map({ group > $0 }) ?? true
        else {
            return
        }
        self.wantsGroup = true
        self.wakeAll()
    }

    /// Somebody asks about the track.
    func receive(_ request: IncomingTrackStatus) {
        guard !self.isOver else {
            request.reject(.doesNotExist, reason: "the track has ended")
            return
        }
        request.accept(largest: self.largest, properties: self.properties)
    }

    /// Whether fetches are answered here.
    var servesFetches: Bool {
        self.written != nil
    }

    /// Somebody wants a part of the past.
    func receive(_ request: IncomingFetch) {
        guard let written = self.written, !self.isOver else {
            request.reject(.doesNotExist, reason: "the track has ended")
            return
        }
        guard self.fetchCount < Self.maximumFetches else {
            request.reject(.excessiveLoad, reason: "too many fetches of the track at a time")
            return
        }
        let order = request.request.groupOrder ?? self.properties.defaultPublisherGroupOrder
        let leavesOrder = self.session.profile.fetchLeavesOrderToPublisher
        let parts = written.parts(
            from: request.start,
            through: min(request.end.location, self.largest ?? request.start),
            leavesOrder ? order ?? .ascending : request.groupOrder
        )
        if let largest = self.largest, request.start <= largest, let code = self.refusal(of: parts) {
            request.reject(code, reason: "not everything in the range is known, or there is nothing")
            return
        }
        let publisher = request.accept(largest: self.largest, groupOrder: order, properties: self.properties)
        guard !publisher.isEnded else {
            return
        }
        self.fetchCount += 1
        StoredFetch(publisher, parts) { [weak self] in
            self?.fetchCount -= 1
        }.start()
    }

    /// Where an answer has no word for it, the request itself fails when there is nothing in its range, or when it is not
    /// known what was there (draft-14 §9.18, "FETCH_ERROR").
    private func refusal(of parts: [WrittenObjects.Part]) -> RequestErrorCode? {
        guard self.session.profile.data.fetchObjectsAreComplete else {
            return nil
        }
        if parts.isEmpty {
            return .noObjects
        }
        let isKnown = parts.allSatisfy { part in
            if case .forgotten = part { false } else { true }
        }
        return isKnown ? nil : .unknownStatusInRange
    }

    /// Whether objects go to somebody.
    private var hasReader: Bool {
        self.publisher?.forward ?? false
    }

    /// Gives a subscriber that came in the middle what follows of the groups that are open.
    private func join() {
        guard let publisher = self.publisher, publisher.forward else {
            return
        }
        for subgroup in self.open where subgroup.consumer == nil {
            var description = subgroup.description
            description.isFirstObject = description.isFirstObject && !subgroup.hasBegun
            description.precedingObject = subgroup.lastObject
            subgroup.consumer = publisher.beginSubgroup(description)
        }
    }

    // MARK: Writing

    /// Waits for somebody who wants objects.
    func awaitReader() -> Step<Void> {
        if let error = self.refusal {
            return .failed(error)
        }
        return self.hasReader ? .done(()) : self.wait()
    }

    /// Waits for somebody who wants a new group.
    func awaitGroupRequest() -> Step<Void> {
        if let error = self.refusal {
            return .failed(error)
        }
        return self.wantsGroup ? .done(()) : self.wait()
    }

    /// Begins a subgroup; `makeDescription` is given the number of the next group.
    func begin(
        _ makeDescription: (_ nextGroup: UInt64) -> SubgroupDescription
    ) -> Step<LoopBound<SubgroupSource>> {
        if let error = self.refusal {
            return .failed(error)
        }
        if let publisher = self.publisher, publisher.forward, publisher.finishedSubgroups > 0,
            self.session.totals.liveStreamsOut >= Self.maximumStreams
        {
            return self.wait()
        }
        let subgroup = SubgroupSource(makeDescription(self.nextGroup), source: self)
        self.noteGroup(subgroup.description.group)
        self.open.append(subgroup)
        if self.hasReader {
            subgroup.consumer = self.publisher?.beginSubgroup(subgroup.description)
        }
        return .done(LoopBound(subgroup, on: self.session.loop))
    }

    /// Whether a write goes through now.
    func room() -> Step<Void> {
        if let failure = self.failure {
            return .failed(failure)
        }
        guard let publisher = self.publisher, publisher.forward, publisher.isAboveHighWatermark else {
            return .done(())
        }
        return self.wait()
    }

    /// An object was written, whether or not somebody gets it.
    func note(
        _ location: Location,
        subgroup: UInt64?,
        priority: UInt8,
        properties: PropertyList,
        payload: Bytes
    ) {
        self.largest = max(self.largest ?? location, location)
        self.written?.append(
            FetchObjectHeader(
                location: location,
                subgroupID: subgroup,
                publisherPriority: priority,
                properties: properties,
                payloadLength: UInt64(payload.count)
            ),
            payload
        )
    }

    private var nextGroup: UInt64 {
        self.newestGroup.map { $0 &+ 1 } ?? 0
    }

    private func noteGroup(_ group: UInt64) {
        if self.newestGroup.map({ group > $0 }) ?? true {
            self.newestGroup = group
            self.wantsGroup = false
        }
    }

    /// A subgroup is over.
    func remove(_ subgroup: SubgroupSource) {
        self.open.removeAll { $0 === subgroup }
    }

    /// Sends an object in a datagram, at a location of its own unless one is given.
    func sendDatagram(
        _ payload: Bytes,
        at location: Location?,
        _ priority: UInt8,
        _ properties: PropertyList
    )
        -> Step<Location>
    {
        if let error = self.refusal {
            return .failed(error)
        }
        let location = location ?? Location(group: self.nextGroup, object: 0)
        self.noteGroup(location.group)
        self.note(location, subgroup: nil, priority: priority, properties: properties, payload: payload)
        self.publisher?.receive(
            ObjectDatagram(
                trackAlias: TrackAlias(rawValue: 0),
                groupID: location.group,
                objectID: location.object,
                publisherPriority: priority,
                properties: properties
            ),
            payload: payload
        )
        return .done(location)
    }

    // MARK: The end

    /// Ends the track; done when the subscriber has everything.
    func finish() -> Step<Void> {
        if let failure = self.failure {
            return .failed(failure)
        }
        if !self.isEnding {
            self.isEnding = true
            for subgroup in self.open {
                subgroup.finish()
            }
            self.publisher?.end(.trackEnded)
        }
        guard self.publisher == nil else {
            return self.wait()
        }
        self.session.sources.remove(self)
        switch self.lastEnd {
        case nil, .finished, .rangeEnded, .cancelledByPeer:
            return .done(())
        case .tooFarBehind:
            return .failed(MoQError(code: .endedEarly, message: "the subscriber did not read"))
        case .sessionClosed(let closure):
            return .failed(MoQError(closure))
        }
    }

    /// Ends the track before its time, unless it has ended.
    func abandon() {
        self.session.sources.remove(self)
        guard !self.isEnding, self.failure == nil else {
            return
        }
        self.fail(MoQError(code: .cancelled, message: "the track was given up"))
    }

    /// Nothing can be written any more.
    func fail(_ error: MoQError) {
        guard self.failure == nil else {
            return
        }
        self.failure = error
        for subgroup in self.open {
            subgroup.reset()
        }
        self.publisher?.end(.internalError, reason: error.message)
        self.wakeAll()
    }

    /// Nobody waits for it any more.
    func forget(_ waiter: Waiter) {
        self.waiters.removeAll { $0 === waiter }
    }

    private var isOver: Bool {
        self.isEnding || self.failure != nil
    }

    private var refusal: MoQError? {
        if let failure = self.failure {
            return failure
        }
        return self.isEnding ? MoQError(code: .invalidState, message: "the track was finished") : nil
    }

    private func wait<Value: Sendable>() -> Step<Value> {
        let waiter = Waiter()
        self.waiters.append(waiter)
        return .wait(waiter)
    }

    private func wakeAll() {
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters {
            waiter.wake()
        }
    }
}

extension TrackSource: TrackPublisherDelegate {
    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        self.join()
        self.wakeAll()
    }

    func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters) {
        self.noteGroupRequest(parameters.newGroupRequest)
    }

    func trackPublisherLargestObject(_ publisher: TrackPublisher) -> Location? {
        self.largest
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.wakeAll()
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        guard self.publisher === publisher else {
            return
        }
        self.publisher = nil
        for subgroup in self.open {
            subgroup.consumer = nil
        }
        if self.isEnding {
            self.lastEnd = end
        }
        self.wakeAll()
    }
}
