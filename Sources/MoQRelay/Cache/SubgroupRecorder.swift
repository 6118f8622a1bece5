// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// Writes the objects of one subgroup into the cache while they are forwarded, and what follows from them about objects that
/// do not exist. (loop)
///
/// The group is looked up once; per object nothing is looked up.
struct SubgroupRecorder {
    private let cache: TrackCache
    private let loop: PacketLoop
    private let description: SubgroupDescription
    private var group: CachedGroup?
    private var current: CachedObject?
    private var last: UInt64?

    init(_ description: SubgroupDescription, cache: TrackCache, loop: PacketLoop) {
        self.description = description
        self.cache = cache
        self.loop = loop
    }

    /// An object begins.
    mutating func begin(_ object: ObjectHeader) {
        self.last = object.objectID
        self.current = self.cache.record(
            FetchObjectHeader(
                location: Location(group: self.description.group, object: object.objectID),
                subgroupID: self.description.subgroup,
                publisherPriority: self.description.publisherPriority,
                properties: object.properties,
                payloadLength: object.payloadLength
            ),
            status: object.status,
            in: &self.group,
            now: self.loop.now.microseconds
        )
    }

    /// The next part of the object that began last.
    func append(_ part: Bytes) {
        self.current?.append(part)
    }

    /// The subgroup is complete.
    func finish() {
        self.current?.abandon()
        if self.description.containsEndOfGroup, let last = self.last {
            self.cache.noteEndOfGroup(after: Location(group: self.description.group, object: last))
        }
    }

    /// The subgroup ended early.
    func abandon() {
        self.current?.abandon()
    }
}

extension TrackCache {
    /// Takes an object in that begins to arrive, with what it says about others. Returns where its payload goes; nil when the
    /// object is a mark, is known, or is too large.
    func record(
        _ header: FetchObjectHeader,
        status: ObjectStatus,
        in group: inout CachedGroup?,
        now: UInt64
    ) -> CachedObject? {
        let location = header.location
        switch status {
        case .doesNotExist:
            self.noteAbsent(from: location, through: location)
            return nil
        case .endOfGroup:
            self.noteAbsent(from: location, through: Location(group: location.group, object: .max))
            return nil
        case .endOfTrack:
            self.noteAbsent(from: location, through: Location(group: .max, object: .max))
            return nil
        case .normal:
            break
        }
        self.noteLargest(location)
        self.noteGaps(of: header)
        guard header.payloadLength <= CachedObject.maximumPayload else {
            return nil
        }
        // There is none yet, or it was thrown out while it was being written.
        let place = group?.cache == nil ? self.group(location.group) : group
        group = place
        let object = CachedObject(header, arrival: now)
        return place?.insert(object) == true ? object : nil
    }

    /// The group has no larger object.
    func noteEndOfGroup(after location: Location) {
        if location.object < .max, let next = location.next {
            self.noteAbsent(from: next, through: Location(group: location.group, object: .max))
        }
    }

    /// An object may say that those before it do not exist (draft-18 §12.8 and §12.9).
    private func noteGaps(of header: FetchObjectHeader) {
        guard !header.properties.isEmpty else {
            return
        }
        let location = header.location
        if let count = header.properties.integer(PropertyType.priorObjectIDGap), count > 0, count <= location.object {
            self.noteAbsent(
                from: Location(group: location.group, object: location.object - count),
                through: Location(group: location.group, object: location.object - 1)
            )
        }
        if let count = header.properties.integer(PropertyType.priorGroupIDGap), count > 0, count <= location.group {
            self.noteAbsent(
                from: Location(group: location.group - count, object: 0),
                through: Location(group: location.group - 1, object: .max)
            )
        }
    }
}
