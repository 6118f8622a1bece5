// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// What the relay remembers of one track: objects, and what is known not to exist. Everything else is unknown. (loop)
final class TrackCache {
    /// What is known about the next location of a range.
    enum Finding {
        /// The next object. What lies before it does not exist.
        case object(CachedObject)
        /// Nothing is known of this part, both ends included. What lies before it does not exist.
        case unknown(from: Location, through: Location)
        /// Nothing more exists in the range.
        case nothing
    }

    /// The track.
    let name: FullTrackName
    /// The largest location that is known to exist.
    private(set) var largest: Location?
    /// The properties of the track.
    var properties = PropertyList() {
        didSet {
            self.lifetime = self.properties.integer(PropertyType.maxCacheDuration).map {
                $0.multipliedReportingOverflow(by: 1_000)
            }.map { $0.overflow ? .max : $0.partialValue }
        }
    }
    /// Whose objects these are. A track is remembered for one publisher at a time.
    var source: ObjectIdentifier?
    /// How many groups were thrown out.
    private(set) var evictions: UInt64 = 0
    /// When the track was of use last: a count, not a time.
    var lastUse: UInt64 = 0
    /// How much the track counts.
    private(set) var cost = 0

    private weak var owner: ObjectCache?
    /// In the order of their ids.
    private var groups: [CachedGroup] = []
    private var absent = LocationRanges()
    /// How many microseconds an object may be served after it began to arrive (draft-18 §12.3, "MAX CACHE DURATION").
    private var lifetime: UInt64?

    init(name: FullTrackName, owner: ObjectCache) {
        self.name = name
        self.owner = owner
    }

    /// How many groups are remembered.
    var groupCount: Int {
        self.groups.count
    }

    // MARK: Writing

    /// The group to put objects in. Making one throws out what is too much.
    func group(_ id: UInt64) -> CachedGroup {
        guard self.owner != nil else {
            return CachedGroup(id: id, cache: nil)
        }
        let index = self.index(atOrAfter: id)
        if index < self.groups.count, self.groups[index].id == id {
            return self.groups[index]
        }
        let group = CachedGroup(id: id, cache: self)
        self.groups.insert(group, at: index)
        self.changed(by: group.cost)
        self.owner?.used(self)
        self.owner?.trimGroups(of: self, keeping: group)
        self.owner?.trim(keeping: group)
        return group
    }

    /// A location exists, whether or not its object is here.
    func noteLargest(_ location: Location) {
        self.largest = max(self.largest ?? location, location)
    }

    /// Nothing exists from `first` through `last`, and nothing will: an object that comes nevertheless is not remembered
    /// (draft-18 §9.1).
    func noteAbsent(from first: Location, through last: Location) {
        self.absent.insert(from: first, through: last)
    }

    /// Whether the location is known not to exist.
    func isAbsent(_ location: Location) -> Bool {
        self.absent.end(of: location) != nil
    }

    /// Everything counts so much more.
    func changed(by delta: Int) {
        self.cost += delta
        self.owner?.changed(by: delta)
    }

    /// A group grew. Throws out what is too much, in the end the group itself.
    func grew(_ group: CachedGroup) {
        self.owner?.trim(keeping: group)
    }

    /// Throws the lowest group out. Returns false when there is none but `kept`.
    func evictLowestGroup(keeping kept: CachedGroup? = nil) -> Bool {
        guard let index = self.groups.firstIndex(where: { $0 !== kept }) else {
            return false
        }
        let group = self.groups.remove(at: index)
        self.evictions &+= 1
        self.changed(by: -group.cost)
        group.detach()
        return true
    }

    /// The track is forgotten: nothing of it is known any more, and nothing is taken in.
    func close() {
        while self.evictLowestGroup() {}
        self.changed(by: -self.cost)
        self.absent = LocationRanges()
        self.owner = nil
    }

    // MARK: Reading

    /// Whether the object may not be served any more.
    func isExpired(_ object: CachedObject, at now: UInt64) -> Bool {
        let age = now >= object.arrival ? now - object.arrival : 0
        return age > min(self.lifetime ?? .max, self.owner?.maximumAge ?? .max)
    }

    /// What is known from `first` on, up to `last`, which must not lie before it.
    func find(from first: Location, through last: Location, now: UInt64) -> Finding {
        var cursor = first
        if let end = self.absent.end(of: cursor) {
            guard end < last, let next = end.next else {
                return .nothing
            }
            cursor = next
        }
        let object = self.object(atOrAfter: cursor, now: now)
        if let object, object.location == cursor {
            return .object(object)
        }
        var through = last
        if let before = object?.location.previous {
            through = min(through, before)
        }
        if let before = self.absent.start(after: cursor)?.previous {
            through = min(through, before)
        }
        return .unknown(from: cursor, through: through)
    }

    /// How many objects ``knowsAll(from:through:now:)`` looks at: the loop has others to serve.
    static let longestLook = 8_192

    /// Whether nothing is unknown from `first` through `last`. Looks at every object of the range; false as well when there
    /// are too many.
    func knowsAll(from first: Location, through last: Location, now: UInt64) -> Bool {
        var cursor: Location? = first
        var seen = 0
        while let start = cursor, start <= last {
            guard seen < Self.longestLook else {
                return false
            }
            seen += 1
            switch self.find(from: start, through: last, now: now) {
            case .nothing: return true
            case .unknown: return false
            case .object(let object): cursor = object.location.next
            }
        }
        return true
    }

    /// The highest group at or below this id that has objects.
    func group(atOrBelow id: UInt64) -> UInt64? {
        let index = self.index(atOrAfter: id)
        if index < self.groups.count, self.groups[index].id == id {
            return id
        }
        return index > 0 ? self.groups[index - 1].id : nil
    }

    private func object(atOrAfter location: Location, now: UInt64) -> CachedObject? {
        var index = self.index(atOrAfter: location.group)
        while index < self.groups.count {
            let group = self.groups[index]
            let first = group.id == location.group ? location.object : 0
            let found = group.object(atOrAfter: first) { $0.state != .abandoned && !self.isExpired($0, at: now) }
            if let found {
                return found
            }
            index += 1
        }
        return nil
    }

    private func index(atOrAfter id: UInt64) -> Int {
        self.groups.partitioningIndex { $0.id >= id }
    }
}
