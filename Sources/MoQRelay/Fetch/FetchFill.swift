// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// One fetch of the relay from a publisher, for any number of fetches of its subscribers. (loop)
///
/// ```
///   asked ── FETCH_OK ──► receiving ── end of the stream ──► over(complete or not)
///     └── REQUEST_ERROR, cancel() ───────────────────────────► over(failed)
/// ```
///
/// A publisher that does not have the track is followed by the next one.
///
/// What arrives goes into the cache and into a buffer that the subscribers' fetches read at their own speed. The publisher
/// waits when the fastest of them is behind; the others do not hold it up: the buffer forgets what the fastest has read as
/// soon as it is too long, and who has missed that goes on by itself.
final class FetchFill: FetchConsumer {
    /// What came.
    enum Item {
        case object(CachedObject)
        case gap(FetchGap, Location)
    }

    /// How far it is.
    enum State {
        case asked
        case receiving(FetchOk)
        case over(Outcome)
    }

    /// How it ended.
    enum Outcome {
        /// Everything came. The answer says up to where.
        case complete(FetchOk)
        /// It was not answered, or refused.
        case failed(RequestErrorCode, String)
        /// The objects broke off.
        case broken(StreamResetCode)
    }

    /// With so much that the fastest reader has not read, the publisher waits.
    private static let window = 1 << 20
    /// With so much in the buffer, what the fastest reader has read is forgotten.
    private static let capacity = 4 << 20

    /// The track.
    let name: FullTrackName
    /// The first location that was asked for.
    let first: Location
    /// The last one.
    let end: FetchEnd
    /// The order of the groups.
    let order: GroupOrder
    /// Who may be asked.
    let reach: Reach
    private(set) var state = State.asked
    /// The number of the first item that is still in the buffer.
    private(set) var base = 0
    /// Whether an object has come.
    private(set) var hasObjects = false

    private let ledger: RelayLedger
    private var cache: TrackCache?
    /// Who can still be asked, the one that is next first.
    private var sources: [RelayPeer]
    private weak var relay: MoQRelay?
    private var receiver: FetchReceiver?
    private var readers: [RelayFetch] = []
    private var items: Deque<(item: Item, mark: Int)> = []
    /// What all items counted that ever were in the buffer.
    private var total = 0
    /// The next location that nothing was said about, where groups ascend.
    private var cursor: Location?
    private var current: CachedObject?
    private var isCounted = false

    init(
        _ name: FullTrackName,
        from first: Location,
        through end: FetchEnd,
        order: GroupOrder,
        sources: [RelayPeer],
        reach: Reach,
        relay: MoQRelay
    ) {
        self.name = name
        self.first = first
        self.end = end
        self.order = order
        self.sources = sources
        self.reach = reach
        self.relay = relay
        self.ledger = relay.ledger
        self.cursor = first
    }

    /// Asks the next one that can be asked. Returns false when there is none.
    func askNext() -> Bool {
        self.sources.removeAll { $0.isGoingAway || !$0.session.isOpen }
        guard !self.sources.isEmpty else {
            return false
        }
        let source = self.sources.removeFirst()
        self.setCounted(!source.isSibling)
        // A track that is being received keeps its memory, whoever is asked for the rest.
        self.cache = self.relay?.tracks[self.name]?.cache ?? self.relay?.cache(of: self.name, from: source)
        if self.isCounted {
            self.ledger.counters.upstreamFetches &+= 1
        }
        let request = FetchRequest(
            track: self.name,
            from: self.first,
            through: self.end,
            parameters: FetchParameters(groupOrder: self.order)
        )
        self.receiver = source.session.fetch(request, consumer: self) { [weak self] result in
            self?.answered(result)
        }
        return true
    }

    /// Begins or ends to count the fetch among those from publishers: one from another shard counts there.
    private func setCounted(_ isCounted: Bool) {
        guard isCounted != self.isCounted else {
            return
        }
        self.isCounted = isCounted
        self.ledger.counters.live.upstreamFetches += isCounted ? 1 : -1
    }

    /// Whether it is over.
    var isOver: Bool {
        if case .over = self.state {
            return true
        }
        return false
    }

    /// How many items there were so far.
    var count: Int {
        self.base + self.items.count
    }

    /// Whether everything from `location` on that this fetch is about will still come, or is in the buffer.
    func covers(_ location: Location) -> Bool {
        guard !self.isOver, self.order == .ascending, self.first <= location, location <= self.end.location else {
            return false
        }
        guard self.base > 0 else {
            return true
        }
        switch self.items.first?.item {
        case .object(let object): return object.location <= location
        case .gap(_, let end): return end <= location
        case nil: return self.cursor.map { $0 <= location } ?? false
        }
    }

    /// The item with this number; nil when it has not come. It must not be forgotten.
    func item(_ number: Int) -> Item? {
        let index = number - self.base
        return index >= 0 && index < self.items.count ? self.items[index].item : nil
    }

    // MARK: Readers

    /// A fetch of a subscriber reads along. Returns the number of the first item for it.
    func join(_ reader: RelayFetch) -> Int {
        self.readers.append(reader)
        return self.base
    }

    /// A fetch of a subscriber reads no more. The last one takes the publisher's along.
    func leave(_ reader: RelayFetch) {
        self.readers.removeAll { $0 === reader }
        guard self.readers.isEmpty else {
            self.balance()
            return
        }
        if !self.isOver {
            let receiver = self.receiver
            self.finish(.failed(.internalError, "nobody waits for it"))
            receiver?.cancel()
        }
    }

    /// A reader has read on.
    func readerMoved() {
        self.balance()
    }

    private func balance() {
        let front = self.readers.map(\.fillIndex).max() ?? self.base
        let slowest = self.readers.map(\.fillIndex).min() ?? self.base
        while let oldest = self.items.first, self.base < front,
            self.base < slowest || self.total - oldest.mark > Self.capacity
        {
            self.items.removeFirst()
            self.base += 1
        }
        let read = front - self.base - 1
        let behind =
            read >= 0 && read < self.items.count ? self.items[read].mark : (self.items.first?.mark ?? self.total)
        // An object that is arriving must not wait for itself.
        var ready = self.total
        if case .object(let object) = self.items.last?.item, object.state == .arriving {
            ready -= object.cost
        }
        if ready - behind > Self.window {
            self.receiver?.pause()
        } else {
            self.receiver?.resume()
        }
    }

    private func append(_ item: Item, cost: Int) {
        self.total += cost
        self.items.append((item, self.total))
        self.notify()
        self.balance()
    }

    private func notify() {
        for reader in self.readers {
            reader.fillChanged(self)
        }
    }

    // MARK: What the publisher says

    private func answered(_ result: Result<FetchOk, MoQError>) {
        guard case .asked = self.state else {
            return
        }
        switch result {
        case .success(let ok):
            self.state = .receiving(ok)
            if let cache = self.cache, !ok.properties.isEmpty {
                cache.properties = ok.properties
            }
            self.notify()
        case .failure(let error):
            guard error.requestError != .doesNotExist || !self.askNext() else {
                return
            }
            guard error.requestError != .noObjects else {
                // What other drafts answer with a response that is empty.
                if self.order == .ascending {
                    self.cache?.noteAbsent(from: self.first, through: self.end.location)
                }
                self.finish(.complete(FetchOk(endOfTrack: false, end: self.end)))
                return
            }
            self.finish(.failed(TrackForwarder.downstreamCode(forFetch: error), error.message))
        }
    }

    func beginObject(_ header: FetchObjectHeader) {
        let location = header.location
        self.passed(before: location)
        guard header.status == .normal else {
            self.passed(mark: header.status, at: location)
            return
        }
        self.cursor = location.next
        self.current = nil
        self.cache?.noteLargest(location)
        self.ledger.counters.objectsIn &+= self.isCounted ? 1 : 0
        guard header.payloadLength <= CachedObject.maximumPayload else {
            self.hasObjects = true
            self.append(.gap(.unknown, location), cost: CachedObject.overhead)
            return
        }
        let object = CachedObject(header, arrival: self.ledger.loop.now.microseconds)
        self.current = object
        self.cache?.group(location.group).insert(object)
        self.hasObjects = true
        self.append(.object(object), cost: object.cost)
    }

    func receive(payload: Bytes) {
        self.ledger.counters.bytesIn &+= self.isCounted ? UInt64(payload.count) : 0
        self.current?.append(payload)
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        if self.order == .ascending, let cursor = self.cursor, gap == .nonExistent {
            self.cache?.noteAbsent(from: cursor, through: location)
        }
        self.cursor = location.next
        self.append(.gap(gap, location), cost: CachedObject.overhead)
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        self.current?.abandon()
        guard case .receiving(let ok) = self.state else {
            return
        }
        if let code = outcome.resetCode {
            if case .malformedTrack = outcome {
                self.relay?.forget(self.name)
            }
            self.finish(.broken(code))
            return
        }
        let last = min(ok.end.location, self.end.location)
        if self.order == .ascending, let cursor = self.cursor {
            self.cache?.noteAbsent(from: cursor, through: last)
        }
        self.finish(.complete(ok))
    }

    /// What lies between what came last and this location does not exist.
    private func passed(before location: Location) {
        guard self.order == .ascending, let cursor = self.cursor, let last = location.previous else {
            return
        }
        self.cache?.noteAbsent(from: cursor, through: last)
    }

    /// What a status says does not exist, as all that is left out does not.
    private func passed(mark status: ObjectStatus, at location: Location) {
        self.current = nil
        let last =
            switch status {
            case .normal, .doesNotExist: location
            case .endOfGroup: Location(group: location.group, object: .max)
            case .endOfTrack: Location(group: .max, object: .max)
            }
        self.cache?.noteAbsent(from: location, through: last)
        self.cursor = last.next
    }

    private func finish(_ outcome: Outcome) {
        guard !self.isOver else {
            return
        }
        self.state = .over(outcome)
        self.receiver = nil
        self.setCounted(false)
        self.relay?.fillEnded(self)
        self.notify()
    }
}
