// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// What a ``TrackIntegrity`` remembers of one group.
final class GroupRecord {
    /// How many subgroups of a group are remembered.
    static let subgroupCapacity = 16
    /// How many gaps of a group are remembered.
    static let gapCapacity = 16

    let id: UInt64
    /// The first object that does not exist, as those after it do not; nil while the end is not known.
    private(set) var end: UInt64?
    /// The largest object that came.
    private(set) var largest: UInt64?
    /// The PRIOR_GROUP_ID_GAP that objects of the group carry.
    var priorGroupGap: UInt64?
    /// Whether an object of a later group says that this one does not exist.
    var isInGap: Bool
    /// What objects say does not exist before them.
    private(set) var gaps: [ClosedRange<UInt64>] = []
    /// The objects that came in datagrams.
    var datagrams = ObjectRuns()
    private var subgroups: [SubgroupRecord] = []

    init(id: UInt64, isInGap: Bool) {
        self.id = id
        self.isInGap = isInGap
    }

    /// How many subgroups, runs and gaps are remembered.
    var rememberedCount: Int {
        self.subgroups.reduce(self.subgroups.count + self.gaps.count + self.datagrams.count) { $0 + $1.objects.count }
    }

    /// What is remembered of a subgroup; of a new one that it has this priority.
    func subgroup(_ id: UInt64, priority: UInt8) -> SubgroupRecord {
        if let known = self.subgroups.last(where: { $0.id == id }) {
            return known
        }
        if self.subgroups.count == Self.subgroupCapacity {
            self.subgroups.removeFirst()
        }
        let subgroup = SubgroupRecord(id: id, priority: priority)
        self.subgroups.append(subgroup)
        return subgroup
    }

    /// The subgroup other than `own` that the object came in, if there is one.
    func subgroup(of object: UInt64, besides own: SubgroupRecord?) -> SubgroupRecord? {
        self.subgroups.first { $0 !== own && $0.objects.contains(object) }
    }

    /// Whether any object of the range came.
    func contains(anyOf range: ClosedRange<UInt64>) -> Bool {
        self.datagrams.intersects(range) || self.subgroups.contains { $0.objects.intersects(range) }
    }

    /// An object came.
    func note(_ object: UInt64) {
        self.largest = max(self.largest ?? object, object)
    }

    /// Neither this object nor any after it exists. Returns whether that contradicts what came.
    func noteEnd(_ object: UInt64) -> Bool {
        self.end = min(self.end ?? object, object)
        return self.largest.map { $0 >= object } ?? false
    }

    /// Objects do not exist.
    func noteGap(_ range: ClosedRange<UInt64>) {
        if self.gaps.count == Self.gapCapacity {
            self.gaps.removeFirst()
        }
        self.gaps.append(range)
    }
}

/// What a ``TrackIntegrity`` remembers of one subgroup.
final class SubgroupRecord {
    let id: UInt64
    let priority: UInt8
    /// The last object before a FIN.
    var last: UInt64?
    /// The objects that came.
    var objects = ObjectRuns()

    init(id: UInt64, priority: UInt8) {
        self.id = id
        self.priority = priority
    }
}

/// One stream of a subgroup, as a ``TrackIntegrity`` sees it. Its owner keeps it as long as the stream lives.
public final class SubgroupWatch {
    let subgroup: SubgroupRecord
    /// Keeps the group, which may be forgotten otherwise.
    let group: GroupRecord
    /// The last object of normal status.
    var last: UInt64?
    /// The object whose payload comes.
    var current: ArrivingObject?

    init(subgroup: SubgroupRecord, group: GroupRecord) {
        self.subgroup = subgroup
        self.group = group
    }

    /// Part of the payload of the object that began last came. Nothing can be wrong with it before all of it is there.
    public func receive(payload: RawSpan) {
        self.current?.digest.update(payload)
    }
}

/// An object whose payload is arriving.
struct ArrivingObject {
    var object: RecentObject
    var isKnown: Bool
    var digest = PayloadDigest()
}

/// An object that came a short while ago, with what a second one must not have otherwise.
struct RecentObject {
    var location: Location
    var priority: UInt8
    var length: UInt64
    var digest: UInt64 = 0
}
