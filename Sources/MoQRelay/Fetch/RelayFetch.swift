// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// One FETCH of a subscriber: answered from what the relay remembers, and completed from the publisher. (loop)
///
/// ```
///   asking ── the publisher's FETCH_OK ──► reading { cache, fill } ── everything written, cancel ──► over
///      └────────── refused, too late ───────────────────────────────────────────────────────────────► over
/// ```
///
/// Where groups ascend, it walks through its range: what the cache knows is written, what it does not know is asked of the
/// publisher, and what the publisher does not tell is reported as unknown. Where groups descend, the range is served from
/// the cache when all of it is known, and else passed through from the publisher as a whole.
final class RelayFetch: FetchPublisherDelegate {
    private enum Phase {
        /// The publisher has to say how far the track is.
        case asking
        /// Objects are written.
        case reading(FetchPublisher)
        case over
    }

    /// What the answer says.
    private struct Answer {
        var largest: Location?
        var isTrackComplete: Bool
        var properties: PropertyList
    }

    /// The number of the item of the fill that is next.
    private(set) var fillIndex = 0

    private let owner: RelayPeer
    private let ledger: RelayLedger
    private weak var relay: MoQRelay?
    private var request: IncomingFetch?
    /// What is remembered of the track, as of when it was looked up last.
    private var cache: TrackCache?
    /// The track.
    let name: FullTrackName
    private let start: Location
    /// The order of the groups, which draft 14 may leave to the publisher until the answer.
    private var order: GroupOrder
    private let leavesOrder: Bool
    /// Whether a response without objects is refused instead (NO_OBJECTS, draft-14 §9.18), which has to be known by then.
    private let mustHaveObjects: Bool
    /// What the answer will say once it is known that there are objects.
    private var heldAnswer: Answer?
    /// The next location of which it is not known whether there is an object, for that.
    private var sought: Location?
    private var phase = Phase.asking
    /// The last location of the response.
    private var last = Location.zero
    /// The next location to say something about; nil when there is none left.
    private var cursor: Location?
    private var fill: FetchFill?
    /// Whether the publisher may be asked for what is not known.
    private var mayFill = true
    private var evictionsSeen: UInt64 = 0
    private var waitsFor: CachedObject?
    /// How much of it was missing when the wait began.
    private var missing: UInt64 = 0
    private var isPumping = false
    private var needsPump = false

    private var patience: FetchPatience

    init(_ request: IncomingFetch, owner: RelayPeer, relay: MoQRelay) {
        self.request = request
        self.owner = owner
        self.relay = relay
        self.ledger = relay.ledger
        self.name = request.track
        self.start = request.start
        self.sought = request.start
        self.order = request.groupOrder
        let profile = owner.session.profile
        self.leavesOrder = request.request.groupOrder == nil && profile.fetchLeavesOrderToPublisher
        self.mustHaveObjects = profile.errors.has(.noObjects, answering: .fetch)
        self.patience = FetchPatience(
            fillTimeout: request.request.fillTimeout,
            atMost: relay.configuration.upstreamResponseTimeout,
            on: relay.loop
        )
        if !owner.isSibling {
            self.ledger.counters.live.fetches += 1
            self.ledger.counters.fetches &+= 1
        }
    }

    /// Answers the request, at once where what is remembered suffices for that.
    func begin() {
        guard let relay = self.relay, let request = self.request else {
            return
        }
        request.onCancelled = { [weak self] in
            self?.end()
        }
        if self.leavesOrder {
            let properties = relay.tracks[self.name]?.properties ?? relay.readableCache(of: self.name)?.properties
            self.order = properties?.defaultPublisherGroupOrder ?? self.order
        }
        if let track = relay.tracks[self.name], track.isReceiving || self.reaches(track.largest, request) {
            self.accept(largest: track.largest, isTrackComplete: false, properties: track.properties)
        } else if let cache = relay.readableCache(of: self.name), self.reaches(cache.largest, request) {
            self.accept(largest: cache.largest, isTrackComplete: false, properties: cache.properties)
        } else if let ok = relay.answerUnderWay(for: self.name, through: request.end) {
            self.accept(largest: ok.end.location, isTrackComplete: ok.endOfTrack, properties: ok.properties)
        } else if self.patience.isExhausted {
            self.refuse(.timeout, reason: "how far the track is would have to be asked for")
        } else if !self.fill(from: self.start, through: request.end) {
            self.ledger.counters.tracksNotFound &+= 1
            self.refuse(.doesNotExist, reason: "nobody publishes the track")
        }
    }

    /// Whether it does not matter for the answer how much farther the track is.
    private func reaches(_ largest: Location?, _ request: IncomingFetch) -> Bool {
        largest.map { request.end.location <= $0 } ?? false
    }

    /// Something changed in the fill that this fetch reads.
    func fillChanged(_ fill: FetchFill) {
        guard fill === self.fill else {
            return
        }
        if fill.isOver || fill.count > self.fillIndex {
            self.patience.stopWaiting()
        }
        guard case .asking = self.phase else {
            self.pump()
            return
        }
        switch fill.state {
        case .asked:
            break
        case .receiving where self.mustHaveObjects && !fill.hasObjects:
            // Whether there is anything is not known.
            break
        case .receiving(let ok), .over(.complete(let ok)):
            self.patience.stopWaiting()
            if let answer = self.heldAnswer {
                self.accept(answer)
                break
            }
            self.accept(largest: ok.end.location, isTrackComplete: ok.endOfTrack, properties: ok.properties)
        case .over(.failed(let code, let reason)):
            self.refuse(code, reason: reason)
        case .over(.broken):
            self.refuse(.internalError, reason: "the publisher broke off")
        }
    }

    func fetchPublisherDidDrain(_ publisher: FetchPublisher) {
        self.pump()
    }

    func fetchPublisher(_ publisher: FetchPublisher, didEnd end: FetchPublisherEnd) {
        self.end()
    }

    // MARK: The answer

    private func accept(largest: Location?, isTrackComplete: Bool, properties: PropertyList) {
        self.accept(Answer(largest: largest, isTrackComplete: isTrackComplete, properties: properties))
    }

    private func accept(_ answer: Answer) {
        guard let request = self.request, self.hasObjects(answer, request) else {
            return
        }
        self.request = nil
        request.onCancelled = nil
        let publisher = request.accept(
            largest: answer.largest,
            isTrackComplete: answer.isTrackComplete,
            groupOrder: self.order,
            properties: answer.properties
        )
        guard let largest = answer.largest, !publisher.isEnded else {
            // The session has refused it: the range begins after everything that exists.
            self.end()
            return
        }
        publisher.delegate = self
        self.phase = .reading(publisher)
        self.last = min(request.end.location, largest)
        self.cursor = self.start
        if self.order == .descending, self.fill == nil {
            self.beginDescending(publisher)
        }
        self.pump()
    }

    /// Whether the response may begin. If not, it was refused, or what is not known is asked of the publisher first.
    private func hasObjects(_ answer: Answer, _ request: IncomingFetch) -> Bool {
        guard self.mustHaveObjects, let largest = answer.largest, self.start <= largest else {
            return true
        }
        let last = min(request.end.location, largest)
        if let fill = self.fill {
            guard !fill.hasObjects else {
                return true
            }
            self.sought = fill.end.location.next
            self.leaveFill()
        }
        while let cursor = self.sought, cursor <= last {
            switch self.find(from: cursor, through: last) {
            case .object:
                return true
            case .nothing:
                self.sought = nil
            case .unknown(let first, let through):
                // Where groups descend, the response comes from one place as a whole.
                let range = self.order == .ascending ? (first, through) : (self.start, last)
                self.heldAnswer = answer
                let end = range.1.object == .max ? FetchEnd.group(range.1.group) : .object(range.1)
                return !self.fill(from: range.0, through: end)
            }
        }
        self.refuse(.noObjects, reason: "there are no objects in the range")
        return false
    }

    private func refuse(_ code: RequestErrorCode, reason: String) {
        let request = self.request
        self.request = nil
        request?.reject(code, reason: reason)
        self.end()
    }

    /// The track turned out to be malformed, so what was written may be wrong (draft-18 §2.4.4).
    func trackIsMalformed() {
        switch self.phase {
        case .asking:
            self.refuse(.malformedTrack, reason: "the track is malformed")
        case .reading(let publisher):
            self.end()
            publisher.reset(.malformedTrack)
        case .over:
            break
        }
    }

    private func end() {
        if case .over = self.phase {
            return
        }
        self.phase = .over
        self.leaveObject()
        self.leaveFill()
        self.request?.onCancelled = nil
        self.request = nil
        if !self.owner.isSibling {
            self.ledger.counters.live.fetches -= 1
        }
        self.owner.fetches[ObjectIdentifier(self)] = nil
    }

    // MARK: Writing

    /// Writes as much as there is and as there is room for.
    private func pump() {
        self.needsPump = true
        guard !self.isPumping else {
            return
        }
        self.isPumping = true
        while self.needsPump {
            self.needsPump = false
            while self.step() {}
        }
        self.isPumping = false
    }

    /// Takes one step. Returns whether there may be another one.
    private func step() -> Bool {
        guard case .reading(let publisher) = self.phase, !publisher.isEnded, !publisher.isAboveHighWatermark else {
            return false
        }
        if self.cursor == nil, self.order == .ascending {
            self.leaveFill()
        }
        if let fill = self.fill {
            return self.stepThrough(fill, publisher)
        }
        guard let cursor = self.cursor else {
            publisher.finish()
            return false
        }
        return self.order == .ascending
            ? self.stepUp(from: cursor, publisher) : self.stepDown(from: cursor, publisher)
    }

    private func stepUp(from cursor: Location, _ publisher: FetchPublisher) -> Bool {
        switch self.find(from: cursor, through: self.last) {
        case .nothing:
            self.cursor = nil
            return true
        case .object(let object):
            if object.state == .arriving, let fill = self.relay?.fillUnderWay(self.name, covering: object.location) {
                // Whoever waits for it has to read along: the publisher waits for the readers.
                self.read(fill)
                return true
            }
            return self.write(object, to: publisher)
        case .unknown(let first, let through):
            self.cursor = first
            let end = through.object == .max ? FetchEnd.group(through.group) : .object(through)
            if self.mayFill, self.fill(from: first, through: end) {
                return true
            }
            self.giveUp(through: through, publisher)
            return true
        }
    }

    private func stepThrough(_ fill: FetchFill, _ publisher: FetchPublisher) -> Bool {
        guard self.fillIndex >= fill.base else {
            // Too slow for the buffer: goes on alone.
            self.leaveFill()
            return self.goOn(publisher)
        }
        guard let item = fill.item(self.fillIndex) else {
            guard case .over(let outcome) = fill.state else {
                self.startWaiting()
                return false
            }
            self.leaveFill()
            return self.filled(fill, outcome, publisher)
        }
        self.patience.stopWaiting()
        switch item {
        case .object(let object):
            guard self.isAhead(object.location) else {
                break
            }
            switch object.state {
            case .arriving:
                return self.wait(for: object)
            case .complete:
                _ = self.write(object, to: publisher)
            case .abandoned:
                self.giveUp(through: object.location, publisher)
            }
        case .gap(let gap, let location):
            if self.isAhead(location) {
                publisher.endRange(gap, through: location)
                self.cursor = location.next
            }
        }
        self.fillIndex += 1
        fill.readerMoved()
        return true
    }

    /// Whether the location was not dealt with before. Where groups descend, fills are not shared, so it was not.
    private func isAhead(_ location: Location) -> Bool {
        guard self.order == .ascending else {
            return true
        }
        return self.cursor.map { location >= $0 } ?? false
    }

    /// The fill is over and read to its end.
    private func filled(_ fill: FetchFill, _ outcome: FetchFill.Outcome, _ publisher: FetchPublisher) -> Bool {
        let end = min(fill.end.location, self.last)
        guard case .complete(let ok) = outcome else {
            self.mayFill = false
            return self.goOn(publisher, without: end)
        }
        guard self.order == .ascending else {
            self.cursor = nil
            return true
        }
        if ok.end.location < end, self.isAhead(end) {
            // The publisher does not know that far.
            self.giveUp(through: end, publisher)
        } else {
            self.move(after: end)
        }
        return true
    }

    /// Goes on without the fill, reporting what it should have brought, up to `end`, as unknown.
    private func goOn(_ publisher: FetchPublisher, without end: Location? = nil) -> Bool {
        guard self.order == .ascending else {
            publisher.reset(.unknownObjectStatus)
            return false
        }
        if let end, self.isAhead(end) {
            self.giveUp(through: end, publisher)
        }
        return true
    }

    private func giveUp(through location: Location, _ publisher: FetchPublisher) {
        self.ledger.counters.fetchGapsUnknown &+= 1
        publisher.endRange(.unknown, through: location)
        self.move(after: location)
    }

    private func write(_ object: CachedObject, to publisher: FetchPublisher) -> Bool {
        guard object.state == .complete else {
            return self.wait(for: object)
        }
        publisher.beginObject(object.header)
        for part in object.parts {
            publisher.receive(payload: part)
        }
        if self.owner.isSibling {
            self.ledger.counters.objectsCrossed &+= 1
            self.ledger.counters.bytesCrossed &+= object.header.payloadLength
        } else {
            self.ledger.counters.objectsOut &+= 1
            self.ledger.counters.bytesOut &+= object.header.payloadLength
        }
        if self.fill == nil {
            self.ledger.counters.cacheHits &+= 1
        }
        self.move(after: object.location)
        return true
    }

    private func wait(for object: CachedObject) -> Bool {
        self.startWaiting()
        guard self.waitsFor !== object else {
            return false
        }
        self.leaveObject()
        self.waitsFor = object
        self.missing = object.missing
        object.whenSettled(for: self) { [weak self] in
            self?.waitsFor = nil
            self?.patience.stopWaiting()
            self?.pump()
        }
        return false
    }

    private func leaveObject() {
        self.waitsFor?.stopWaiting(self)
        self.waitsFor = nil
    }

    /// The location is dealt with.
    private func move(after location: Location) {
        let bound = self.order == .ascending ? self.last : self.groupEnd(location.group)
        self.cursor = location.next.flatMap { $0 <= bound ? $0 : nil }
    }

    private func find(from first: Location, through last: Location) -> TrackCache.Finding {
        let now = self.ledger.loop.now.microseconds
        let finding = self.cache?.find(from: first, through: last, now: now)
        switch finding {
        case .object, .nothing:
            break
        case .unknown, nil:
            // Perhaps it is remembered anew, of another publisher.
            let cache = self.relay?.readableCache(of: self.name)
            if cache !== self.cache {
                self.cache = cache
                return cache?.find(from: first, through: last, now: now) ?? .unknown(from: first, through: last)
            }
        }
        return finding ?? .unknown(from: first, through: last)
    }

    // MARK: Descending groups

    private func groupEnd(_ group: UInt64) -> Location {
        min(self.last, Location(group: group, object: .max))
    }

    private func beginDescending(_ publisher: FetchPublisher) {
        let now = self.ledger.loop.now.microseconds
        self.cache = self.relay?.readableCache(of: self.name)
        if let cache = self.cache,
            cache.knowsAll(from: self.start, through: self.last, now: now)
        {
            self.evictionsSeen = cache.evictions
            self.cursor = self.firstLocation(ofGroupAtOrBelow: self.last.group, in: cache)
            return
        }
        let end = self.last.object == .max ? FetchEnd.group(self.last.group) : .object(self.last)
        if self.patience.isExhausted || !self.fill(from: self.start, through: end) {
            publisher.reset(.unknownObjectStatus)
        }
    }

    private func firstLocation(ofGroupAtOrBelow group: UInt64, in cache: TrackCache) -> Location? {
        guard let group = cache.group(atOrBelow: group), group >= self.start.group else {
            return nil
        }
        return max(self.start, Location(group: group, object: 0))
    }

    private func stepDown(from cursor: Location, _ publisher: FetchPublisher) -> Bool {
        // When a group was thrown out meanwhile, its objects must not look as if they did not exist.
        guard let cache = self.cache, cache.evictions == self.evictionsSeen else {
            publisher.reset(.unknownObjectStatus)
            return false
        }
        switch self.find(from: cursor, through: self.groupEnd(cursor.group)) {
        case .object(let object):
            guard self.write(object, to: publisher) else {
                return false
            }
        case .nothing:
            self.cursor = nil
        case .unknown:
            publisher.reset(.unknownObjectStatus)
            return false
        }
        if self.cursor == nil, cursor.group > 0 {
            self.cursor = self.firstLocation(ofGroupAtOrBelow: cursor.group - 1, in: cache)
        }
        return true
    }

    // MARK: The publisher

    /// Reads along with a fetch of the relay that brings what is missing, or makes one. Returns false when nobody can be
    /// asked.
    private func fill(from first: Location, through end: FetchEnd) -> Bool {
        guard !self.patience.isExhausted,
            let fill = self.relay?.fill(
                self.name,
                from: first,
                through: end,
                order: self.order,
                within: self.owner.reach
            )
        else {
            return false
        }
        self.read(fill)
        return true
    }

    private func read(_ fill: FetchFill) {
        self.fill = fill
        self.fillIndex = fill.join(self)
        self.startWaiting()
        self.fillChanged(fill)
    }

    private func leaveFill() {
        self.patience.stopWaiting()
        let fill = self.fill
        self.fill = nil
        fill?.leave(self)
    }

    private func startWaiting() {
        self.patience.startWaiting { [weak self] in
            self?.waitedTooLong()
        }
    }

    /// The publisher took longer than the subscriber, or the relay, is willing to wait (draft-18 §10.2.5, "FILL_TIMEOUT").
    private func waitedTooLong() {
        self.patience.stopWaiting()
        guard let fill = self.fill else {
            self.waitedTooLongForObject()
            return
        }
        self.leaveObject()
        self.ledger.counters.upstreamTimeouts &+= 1
        self.mayFill = false
        self.leaveFill()
        guard case .reading(let publisher) = self.phase else {
            self.refuse(.timeout, reason: "the publisher does not answer")
            return
        }
        if self.goOn(publisher, without: min(fill.end.location, self.last)) {
            self.pump()
        }
    }

    /// An object that is remembered while it is forwarded takes long to arrive. It is reported as unknown, unless some more of
    /// it has come and the subscriber has not said how long it waits.
    private func waitedTooLongForObject() {
        guard let object = self.waitsFor, case .reading(let publisher) = self.phase else {
            return
        }
        guard object.missing == self.missing || self.patience.isExhausted else {
            self.missing = object.missing
            self.startWaiting()
            return
        }
        self.leaveObject()
        self.ledger.counters.upstreamTimeouts &+= 1
        if self.goOn(publisher, without: object.location) {
            self.pump()
        }
    }
}
