// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Finds out that a track is malformed (draft-18 §2.4.4, "Malformed Tracks"), from the objects of one subscription or of
/// one fetch.
///
/// Every stream of a subgroup has a ``SubgroupWatch``; with it objects are judged without a look at any table. What is
/// remembered has bounds: the ``groupCapacity`` groups that began last, of each the 16 subgroups that began last, of each
/// the last 8 runs of objects, and payloads (their digests) of the last ``recentCapacity`` objects. What is older is not
/// compared any more, so a track may pass that breaks the rules across a long distance; one that keeps them never fails.
///
/// What is not malformed: the same object again, as by a network that repeats datagrams or by a publisher that opens a
/// subgroup anew; a subgroup without objects, or one that ends early; an object that was said not to exist other than by
/// a PRIOR_OBJECT_ID_GAP or PRIOR_GROUP_ID_GAP (draft-18 §2.2).
public struct TrackIntegrity {
    /// How many groups are remembered.
    public static let groupCapacity = 16
    /// Of how many objects the payload is remembered.
    public static let recentCapacity = 64

    private enum Way {
        case subgroup
        case datagram
    }

    /// Whether all objects come either on streams or in datagrams.
    private let hasOneWay: Bool
    private let hasMandatoryProperties: Bool
    /// In the order in which they began.
    private var groups: [GroupRecord] = []
    /// The groups that do not exist.
    private var groupGaps: [ClosedRange<UInt64>] = []
    private var way: Way?
    /// The largest location of an object.
    private var largest: Location?
    /// Nothing exists here, or after it.
    private var end: Location?
    private var recent: [RecentObject] = []
    private var oldestRecent = 0
    /// Whether an object was ever complete before one that is the same and began earlier.
    private var hasOvertaken = false
    /// What came last in a fetch.
    private var fetched: (group: GroupRecord, subgroup: SubgroupRecord)?

    /// Begins a subscription or a fetch of a draft.
    public init(profile: DraftProfile) {
        self.hasOneWay = profile.tracksHaveOneForwardingPreference
        self.hasMandatoryProperties = profile.hasMandatoryProperties
    }

    /// Begins a track that several publishers bring, each of which is judged by the rules of its draft already: what all of
    /// them together send has to be one track.
    public init() {
        self.hasOneWay = false
        self.hasMandatoryProperties = false
    }

    /// How many things are remembered: groups, subgroups, runs of objects, gaps and objects.
    package var rememberedCount: Int {
        self.groups.reduce(self.groups.count + self.groupGaps.count + self.recent.count) { $0 + $1.rememberedCount }
    }

    // MARK: Subgroups

    /// A stream of a subgroup begins.
    ///
    /// - Throws: when the subgroup had another priority before.
    public mutating func openSubgroup(
        _ id: UInt64,
        ofGroup groupID: UInt64,
        priority: UInt8
    ) throws(MalformedTrack) -> SubgroupWatch {
        let group = self.group(groupID)
        let subgroup = group.subgroup(id, priority: priority)
        guard subgroup.priority == priority else {
            throw MalformedTrack("subgroup \(id) of group \(groupID) has two priorities")
        }
        return SubgroupWatch(subgroup: subgroup, group: group)
    }

    /// An object begins on a stream.
    public mutating func begin(_ object: ObjectHeader, in watch: SubgroupWatch) throws(MalformedTrack) {
        watch.current = nil
        guard object.status == .normal else {
            try self.note(object.status, at: object.objectID, in: watch.group)
            return
        }
        if let last = watch.subgroup.last, object.objectID > last {
            throw MalformedTrack("object \(object.objectID) is behind the end of its subgroup \(watch.subgroup.id)")
        }
        watch.last = object.objectID
        watch.current = try self.admit(
            object.objectID,
            in: watch.group,
            of: watch.subgroup,
            priority: watch.subgroup.priority,
            length: object.payloadLength,
            properties: object.properties
        )
        if object.payloadLength == 0 {
            try self.complete(watch)
        }
    }

    /// Part of the payload of the object that began last came; `isLast` says that it is complete.
    public mutating func receive(
        payload: RawSpan,
        isLast: Bool,
        in watch: SubgroupWatch
    ) throws(MalformedTrack) {
        watch.receive(payload: payload)
        if isLast {
            try self.complete(watch)
        }
    }

    /// The stream ends with FIN. `containsEndOfGroup` says that the last object is that of the group, too.
    public mutating func finish(_ watch: SubgroupWatch, containsEndOfGroup: Bool) throws(MalformedTrack) {
        guard let last = watch.last else {
            return
        }
        let id = watch.subgroup.id
        if let other = watch.subgroup.last, other != last {
            throw MalformedTrack("subgroup \(id) of group \(watch.group.id) ends with object \(other) and with \(last)")
        }
        if let largest = watch.subgroup.objects.largest, largest > last {
            throw MalformedTrack("object \(largest) is behind the end of its subgroup \(id)")
        }
        watch.subgroup.last = last
        if containsEndOfGroup, last < .max {
            try self.noteEnd(last + 1, of: watch.group)
        }
    }

    // MARK: Datagrams

    /// An object came in a datagram, with this priority, which may be that of the track.
    public mutating func receive(
        _ datagram: ObjectDatagram,
        payload: RawSpan,
        priority: UInt8
    ) throws(MalformedTrack) {
        let group = self.group(datagram.groupID)
        guard datagram.status == .normal else {
            try self.note(datagram.status, at: datagram.objectID, in: group)
            return
        }
        var object = try self.admit(
            datagram.objectID,
            in: group,
            of: nil,
            priority: priority,
            length: UInt64(payload.byteCount),
            properties: datagram.properties
        )
        object.digest.update(payload)
        try self.complete(object)
        if datagram.endsGroup, datagram.objectID < .max {
            try self.noteEnd(datagram.objectID + 1, of: group)
        }
    }

    // MARK: Fetches

    /// An object of a fetch begins. Its order is watched over by ``FetchSequence``, and what came before is never repeated.
    public mutating func beginFetched(_ object: FetchObjectHeader) throws(MalformedTrack) {
        let group = self.fetched?.group.id == object.location.group ? self.fetched?.group : nil
        let place = group ?? self.group(object.location.group)
        guard object.status == .normal else {
            try self.note(object.status, at: object.location.object, in: place)
            return
        }
        var subgroup: SubgroupRecord?
        if let id = object.subgroupID {
            // Usually it is the same as before.
            if let fetched = self.fetched, fetched.group === place, fetched.subgroup.id == id {
                subgroup = fetched.subgroup
            } else {
                subgroup = place.subgroup(id, priority: object.publisherPriority)
            }
        }
        if let subgroup {
            // On draft 14 the objects that came in datagrams have a subgroup each.
            guard subgroup.priority == object.publisherPriority else {
                throw MalformedTrack("subgroup \(subgroup.id) of group \(place.id) has two priorities")
            }
            self.fetched = (place, subgroup)
        }
        try self.check(object.location.object, in: place, object.properties)
        self.note(object.location, in: place, of: subgroup)
    }

    // MARK: What all have in common

    /// Judges an object of normal status, and takes it in.
    private mutating func admit(
        _ id: UInt64,
        in group: GroupRecord,
        of subgroup: SubgroupRecord?,
        priority: UInt8,
        length: UInt64,
        properties: PropertyList
    ) throws(MalformedTrack) -> ArrivingObject {
        let way = subgroup == nil ? Way.datagram : .subgroup
        if self.hasOneWay {
            guard self.way == nil || self.way == way else {
                throw MalformedTrack("the track has objects on streams and in datagrams")
            }
            self.way = way
        }
        let isKnown = try self.isKnown(id, in: group, of: subgroup)
        try self.check(id, in: group, properties)
        let location = Location(group: group.id, object: id)
        let object = RecentObject(location: location, priority: priority, length: length)
        guard !isKnown else {
            if let other = self.recent.first(where: { $0.location == location }) {
                guard other.priority == priority else {
                    throw MalformedTrack("object \(location) came with two priorities")
                }
                guard other.length == length else {
                    throw MalformedTrack("object \(location) came with two payloads")
                }
            }
            return ArrivingObject(object: object, isKnown: true)
        }
        self.note(location, in: group, of: subgroup)
        return ArrivingObject(object: object, isKnown: false)
    }

    /// Whether the object came before.
    ///
    /// - Throws: when it came otherwise.
    private func isKnown(_ id: UInt64, in group: GroupRecord, of own: SubgroupRecord?) throws(MalformedTrack) -> Bool {
        guard let largest = group.largest, id <= largest else {
            return false
        }
        if let other = group.subgroup(of: id, besides: own) {
            throw MalformedTrack(
                own == nil
                    ? "object \(id) of group \(group.id) came on a stream and in a datagram"
                    : "object \(id) of group \(group.id) came in two subgroups, one of them \(other.id)"
            )
        }
        guard let own else {
            return group.datagrams.contains(id)
        }
        guard !group.datagrams.contains(id) else {
            throw MalformedTrack("object \(id) of group \(group.id) came on a stream and in a datagram")
        }
        return own.objects.contains(id)
    }

    /// Judges where an object is, and what its properties say.
    private mutating func check(
        _ id: UInt64,
        in group: GroupRecord,
        _ properties: PropertyList
    ) throws(MalformedTrack) {
        if let end = self.end, Location(group: group.id, object: id) >= end {
            throw MalformedTrack("object \(id) of group \(group.id) is behind the end of the track")
        }
        if let end = group.end, id >= end {
            throw MalformedTrack("object \(id) is behind the end of its group \(group.id)")
        }
        guard !group.isInGap, !group.gaps.contains(where: { $0.contains(id) }) else {
            throw MalformedTrack("object \(id) of group \(group.id) is in a gap")
        }
        guard !properties.isEmpty else {
            return
        }
        let facts = properties.objectFacts
        switch facts.fault {
        case nil:
            break
        case .immutable:
            throw MalformedTrack("IMMUTABLE of object \(id) of group \(group.id) is nested, repeated or unreadable")
        case .repeatedGap:
            throw MalformedTrack("object \(id) of group \(group.id) has a gap twice")
        case .mandatory(let type):
            if self.hasMandatoryProperties {
                throw MalformedTrack("object \(id) of group \(group.id) has property \(type), which is of tracks")
            }
        }
        if let gap = facts.priorObjectGap, gap > 0 {
            try Self.noteGap(of: gap, before: id, in: group)
        }
        if let gap = facts.priorGroupGap {
            try self.noteGap(of: gap, before: group)
        }
    }

    private static func noteGap(of count: UInt64, before id: UInt64, in group: GroupRecord) throws(MalformedTrack) {
        guard count <= id else {
            throw MalformedTrack("the gap before object \(id) of group \(group.id) is larger than its id")
        }
        let range = (id - count)...(id - 1)
        guard group.gaps.last != range else {
            return
        }
        guard !group.contains(anyOf: range) else {
            throw MalformedTrack("the gap before object \(id) of group \(group.id) covers an object")
        }
        group.noteGap(range)
    }

    private mutating func noteGap(of count: UInt64, before group: GroupRecord) throws(MalformedTrack) {
        guard group.priorGroupGap != count else {
            return
        }
        guard group.priorGroupGap == nil else {
            throw MalformedTrack("objects of group \(group.id) do not agree about the gap before it")
        }
        guard count <= group.id else {
            throw MalformedTrack("the gap before group \(group.id) is larger than its id")
        }
        group.priorGroupGap = count
        guard count > 0 else {
            return
        }
        let range = (group.id - count)...(group.id - 1)
        for other in self.groups where range.contains(other.id) {
            guard other.largest == nil else {
                throw MalformedTrack("the gap before group \(group.id) covers group \(other.id)")
            }
            other.isInGap = true
        }
        if self.groupGaps.count == Self.groupCapacity {
            self.groupGaps.removeFirst()
        }
        self.groupGaps.append(range)
    }

    /// A status says what does not exist. That an object does not is no contradiction to its having come: it may have
    /// become unavailable.
    private mutating func note(_ status: ObjectStatus, at id: UInt64, in group: GroupRecord) throws(MalformedTrack) {
        switch status {
        case .normal, .doesNotExist:
            break
        case .endOfGroup:
            try self.noteEnd(id, of: group)
        case .endOfTrack:
            let location = Location(group: group.id, object: id)
            if let largest = self.largest, largest >= location {
                throw MalformedTrack("object \(largest) is behind the end of the track")
            }
            self.end = min(self.end ?? location, location)
        }
    }

    private func noteEnd(_ id: UInt64, of group: GroupRecord) throws(MalformedTrack) {
        guard !group.noteEnd(id) else {
            throw MalformedTrack("group \(group.id) has an object behind its end, which is before \(id)")
        }
    }

    private mutating func note(_ location: Location, in group: GroupRecord, of subgroup: SubgroupRecord?) {
        group.note(location.object)
        self.largest = max(self.largest ?? location, location)
        if let subgroup {
            subgroup.objects.insert(location.object)
        } else {
            group.datagrams.insert(location.object)
        }
    }

    /// The payload of the object that began last is complete; ``SubgroupWatch/receive(payload:)`` was given all of it.
    public mutating func complete(_ watch: SubgroupWatch) throws(MalformedTrack) {
        guard let current = watch.current else {
            return
        }
        watch.current = nil
        try self.complete(current)
    }

    /// The payload of an object is complete.
    private mutating func complete(_ arriving: ArrivingObject) throws(MalformedTrack) {
        var object = arriving.object
        object.digest = arriving.digest.value
        // Of two that arrive at the same time the one that began later can be complete first.
        if arriving.isKnown || self.hasOvertaken,
            let other = self.recent.first(where: { $0.location == object.location })
        {
            guard other.digest == object.digest, other.length == object.length else {
                throw MalformedTrack("object \(object.location) came with two payloads")
            }
            return
        }
        self.hasOvertaken = self.hasOvertaken || arriving.isKnown
        guard self.recent.count == Self.recentCapacity else {
            self.recent.append(object)
            return
        }
        self.recent[self.oldestRecent] = object
        self.oldestRecent = (self.oldestRecent + 1) % Self.recentCapacity
    }

    /// What is remembered of a group. Usually it is the one that began last.
    private mutating func group(_ id: UInt64) -> GroupRecord {
        if let known = self.groups.last(where: { $0.id == id }) {
            return known
        }
        if self.groups.count == Self.groupCapacity {
            self.groups.removeFirst()
        }
        let group = GroupRecord(id: id, isInGap: self.groupGaps.contains { $0.contains(id) })
        self.groups.append(group)
        return group
    }
}
