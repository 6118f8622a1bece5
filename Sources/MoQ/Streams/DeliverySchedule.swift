// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// In which order the streams with objects of a session are sent (draft-18 §7.2, "Scheduling Algorithm"). Loop only.
///
/// What goes first is decided by the subscriber's priority, then by the publisher's; within a request by the order of its
/// groups, and within a group by the subgroup's id. Which of several requests with the same priorities goes first is left
/// open by the draft: here their first streams share the link.
///
/// Datagrams that wait for room go by the same rules (``DeliveryOrder/order(of:publisherPriority:flow:)``), but as a whole
/// before all streams with objects: the transport has one priority for all of them.
///
/// The transport has fewer levels than there are priorities and streams, so levels are given to what is open. Each pair of
/// priorities in use is a band of levels: one for the first stream of each request, one for the second and so on, and the
/// last one for all others, which go in the order in which they were opened and move up as those before them end.
final class DeliverySchedule {
    /// The first level, behind control streams, datagrams and requests. Even, so that its streams share it.
    static let firstLevel = 16
    /// How many levels there are: every other one, those between are the last ones of bands.
    static let levelCount = 120
    /// How many levels a band has, as long as there are enough.
    static let usualDepth = 8

    /// The pairs of priorities that are in use or were, sorted.
    private var bands: [DeliveryBand] = []

    /// The band of a pair of priorities.
    func band(for rank: DeliveryRank) -> DeliveryBand {
        if let band = self.bands.first(where: { $0.rank == rank }) {
            return band
        }
        if self.bands.count >= Self.levelCount / Self.usualDepth {
            // Those that are not in use are kept otherwise, because they come back with the next group.
            self.bands.removeAll { $0.lanes.isEmpty }
        }
        let band = DeliveryBand(rank)
        self.bands.insert(band, at: self.bands.firstIndex { $0.rank > rank } ?? self.bands.count)
        self.layOut()
        return band
    }

    /// Gives each band its levels. With too many bands the last ones have the same.
    private func layOut() {
        let depth = max(1, min(Self.usualDepth, Self.levelCount / self.bands.count))
        for (index, band) in self.bands.enumerated() {
            band.layOut(first: min(index * depth, Self.levelCount - depth), depth: depth)
        }
    }
}

/// The priorities of a stream: lower goes first, and the subscriber's counts before the publisher's.
struct DeliveryRank: Hashable, Comparable {
    var subscriber: UInt8
    var publisher: UInt8

    static func < (left: DeliveryRank, right: DeliveryRank) -> Bool {
        (left.subscriber, left.publisher) < (right.subscriber, right.publisher)
    }
}

/// The levels of one pair of priorities. Loop only.
final class DeliveryBand {
    /// The priorities.
    let rank: DeliveryRank
    /// The requests that have streams in it.
    fileprivate(set) var lanes: [DeliveryLane] = []
    private var first = 0
    private(set) var depth = 0

    fileprivate init(_ rank: DeliveryRank) {
        self.rank = rank
    }

    fileprivate func layOut(first: Int, depth: Int) {
        guard first != self.first || depth != self.depth else {
            return
        }
        self.first = first
        self.depth = depth
        for lane in self.lanes {
            lane.update(0..<lane.count)
        }
    }

    /// The level of the stream with this place among those of its request. Streams of different requests share a level,
    /// apart from the last one.
    func priority(at place: Int) -> StreamPriority {
        let step = min(place, self.depth - 1)
        let isLast = place >= self.depth - 1
        let level = DeliverySchedule.firstLevel + 2 * (self.first + step) + (isLast ? 1 : 0)
        return StreamPriority(rawValue: UInt8(clamping: level))
    }

    fileprivate func add(_ lane: DeliveryLane) {
        lane.index = self.lanes.count
        self.lanes.append(lane)
    }

    fileprivate func remove(_ lane: DeliveryLane) {
        let last = self.lanes.removeLast()
        if last !== lane {
            self.lanes[lane.index] = last
            last.index = lane.index
        }
    }
}

/// The streams of one request that have the same priorities, sorted. Loop only.
final class DeliveryLane {
    /// Where a stream stands among others of its request and its priorities.
    struct Place: Comparable {
        /// The group, mirrored where groups descend.
        var group: UInt64
        var subgroup: UInt64

        static func < (left: Place, right: Place) -> Bool {
            (left.group, left.subgroup) < (right.group, right.subgroup)
        }
    }

    /// The levels of the priorities.
    private(set) var band: DeliveryBand
    fileprivate var index = 0
    private var entries: [(place: Place, stream: SendStream)] = []

    fileprivate init(_ band: DeliveryBand) {
        self.band = band
    }

    /// How many streams there are.
    var count: Int {
        self.entries.count
    }

    /// The level that a stream at this place would have.
    func priority(at place: Place) -> StreamPriority {
        self.band.priority(at: self.index(of: place))
    }

    func insert(_ stream: SendStream, at place: Place) {
        if self.entries.isEmpty {
            self.band.add(self)
        }
        let index = self.index(of: place)
        self.entries.insert((place, stream), at: index)
        self.update(index..<max(index + 1, min(self.entries.count, self.band.depth)))
    }

    /// Takes a stream out, if it is there.
    func remove(_ stream: SendStream, at place: Place) {
        // Behind the last one with the same place.
        var index = self.index(of: place) - 1
        while index >= 0, self.entries[index].place == place, self.entries[index].stream !== stream {
            index -= 1
        }
        guard index >= 0, self.entries[index].stream === stream else {
            return
        }
        self.entries.remove(at: index)
        if self.entries.isEmpty {
            self.band.remove(self)
        } else {
            // All behind that are on the last level and stay there.
            self.update(index..<max(index, min(self.entries.count, self.band.depth)))
        }
    }

    /// The request has other priorities.
    fileprivate func move(to band: DeliveryBand) {
        guard band !== self.band else {
            return
        }
        if !self.entries.isEmpty {
            self.band.remove(self)
            band.add(self)
        }
        self.band = band
        self.update(0..<self.entries.count)
    }

    fileprivate func update(_ range: Range<Int>) {
        for index in range.clamped(to: 0..<self.entries.count) {
            self.entries[index].stream.priority = self.band.priority(at: index)
        }
    }

    /// The index behind the last stream whose place is not greater.
    private func index(of place: Place) -> Int {
        guard let last = self.entries.last, place < last.place else {
            return self.entries.count
        }
        var low = 0
        var high = self.entries.count
        while low < high {
            let middle = (low + high) / 2
            if place < self.entries[middle].place {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}

/// The streams of one request, in the order in which they are to be sent. Loop only.
final class DeliveryOrder {
    /// Whether groups go in descending order. To be set before there are streams or datagrams.
    var isDescending = false
    /// The subscriber's priority. A change applies at once.
    var subscriberPriority: UInt8 {
        didSet {
            guard self.subscriberPriority != oldValue else {
                return
            }
            for lane in self.lanes {
                lane.move(to: self.schedule.band(for: self.rank(lane.band.rank.publisher)))
            }
        }
    }

    private let schedule: DeliverySchedule
    /// One for each priority of the publisher that has streams.
    private var lanes: [DeliveryLane] = []

    init(_ schedule: DeliverySchedule, subscriberPriority: UInt8) {
        self.schedule = schedule
        self.subscriberPriority = subscriberPriority
    }

    /// Opens a stream for a subgroup, in its place.
    func openStream(
        on transport: any WebTransportSession,
        publisherPriority: UInt8,
        group: UInt64 = 0,
        subgroup: UInt64 = 0
    ) throws(WebTransportError) -> SendStream {
        let lane = self.lane(publisherPriority)
        let place = self.place(group, subgroup)
        let stream = try transport.openUnidirectionalStream(priority: lane.priority(at: place))
        self.insert(stream, at: place, into: lane)
        return stream
    }

    /// The stream has nothing left to send, or is over. The arguments are those that it was opened with.
    func close(_ stream: SendStream, publisherPriority: UInt8, group: UInt64 = 0, subgroup: UInt64 = 0) {
        guard let index = self.lanes.firstIndex(where: { $0.band.rank.publisher == publisherPriority }) else {
            return
        }
        self.lanes[index].remove(stream, at: self.place(group, subgroup))
        if self.lanes[index].count == 0 {
            self.lanes.remove(at: index)
        }
    }

    /// Where an object that goes out in a datagram stands among those that wait: as the subscriber's and the publisher's
    /// priority say, and within the request, which `flow` stands for, by group and object. Datagrams of several requests with the
    /// same priorities take turns as they were published. What is queued keeps its place when the subscriber's priority changes.
    func order(of location: Location, publisherPriority: UInt8, flow: UInt64) -> DatagramOrder {
        DatagramOrder(
            rank: UInt16(self.subscriberPriority) << 8 | UInt16(publisherPriority),
            flow: flow,
            major: self.isDescending ? ~location.group : location.group,
            minor: location.object
        )
    }

    /// What the stream brings next has another priority.
    func move(_ stream: SendStream, from publisherPriority: UInt8, to other: UInt8) {
        self.close(stream, publisherPriority: publisherPriority)
        let lane = self.lane(other)
        self.insert(stream, at: self.place(0, 0), into: lane)
    }

    private func rank(_ publisher: UInt8) -> DeliveryRank {
        DeliveryRank(subscriber: self.subscriberPriority, publisher: publisher)
    }

    private func place(_ group: UInt64, _ subgroup: UInt64) -> DeliveryLane.Place {
        DeliveryLane.Place(group: self.isDescending ? ~group : group, subgroup: subgroup)
    }

    private func lane(_ publisher: UInt8) -> DeliveryLane {
        self.lanes.first { $0.band.rank.publisher == publisher }
            ?? DeliveryLane(self.schedule.band(for: self.rank(publisher)))
    }

    private func insert(_ stream: SendStream, at place: DeliveryLane.Place, into lane: DeliveryLane) {
        if lane.count == 0 {
            self.lanes.append(lane)
        }
        lane.insert(stream, at: place)
    }
}
