// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQWire
import WebTransport

/// What was written last to a track, for those who fetch it. (loop)
///
/// It holds as many bytes as it is told, and forgets the oldest groups first.
struct WrittenObjects {
    /// What a response to a fetch has, in its order.
    enum Part {
        /// An object, whole.
        case object(FetchObjectHeader, Bytes)
        /// Up to this location nobody knows any more what there was.
        case forgotten(through: Location)
    }

    private struct Group {
        let id: UInt64
        /// By their numbers, smallest first.
        var objects: Deque<(header: FetchObjectHeader, payload: Bytes)> = []
        var weight = 0

        init(id: UInt64) {
            self.id = id
        }
    }

    /// What an object counts on top of its bytes.
    private static let overhead = 128

    private let capacity: Int
    private var weight = 0
    /// By their numbers, smallest first.
    private var groups: Deque<Group> = []
    /// Up to here everything is forgotten.
    private var forgotten: Location?

    /// Makes an empty store of so many bytes.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// An object was written.
    mutating func append(_ header: FetchObjectHeader, _ payload: Bytes) {
        if let forgotten = self.forgotten, header.location <= forgotten {
            return
        }
        let weight = payload.count + header.properties.bytes.count + Self.overhead
        let index = self.indexOfGroup(header.location.group)
        // Subgroups of one group may be written side by side.
        let after = self.groups[index].objects.lastIndex { $0.header.location < header.location }
        self.groups[index].objects.insert((header, payload), at: after.map { $0 + 1 } ?? 0)
        self.groups[index].weight += weight
        self.weight += weight
        self.forgetOldest()
    }

    private mutating func indexOfGroup(_ id: UInt64) -> Int {
        let index = self.groups.lastIndex { $0.id <= id }
        if let index, self.groups[index].id == id {
            return index
        }
        let next = index.map { $0 + 1 } ?? 0
        self.groups.insert(Group(id: id), at: next)
        return next
    }

    private mutating func forgetOldest() {
        while self.weight > self.capacity, let oldest = self.groups.first {
            guard self.groups.count == 1 else {
                self.groups.removeFirst()
                self.weight -= oldest.weight
                self.forgotten = Location(group: oldest.id, object: .max)
                continue
            }
            guard let (header, payload) = self.groups[0].objects.popFirst() else {
                return
            }
            let weight = payload.count + header.properties.bytes.count + Self.overhead
            self.groups[0].weight -= weight
            self.weight -= weight
            self.forgotten = header.location
        }
    }

    /// What there is from one location through another, groups in this order and objects ascending in each.
    func parts(from start: Location, through end: Location, _ order: GroupOrder) -> [Part] {
        var parts: [Part] = []
        let forgotten = self.forgotten.flatMap { $0 < start ? nil : min($0, end) }
        if order == .ascending, let forgotten {
            parts.append(.forgotten(through: forgotten))
        }
        let wanted = self.groups.filter { $0.id >= start.group && $0.id <= end.group }
        for group in order == .ascending ? Array(wanted) : wanted.reversed() {
            if order == .descending, let forgotten, forgotten.group == group.id {
                parts.append(.forgotten(through: forgotten))
            }
            for (header, payload) in group.objects where header.location >= start && header.location <= end {
                parts.append(.object(header, payload))
            }
        }
        if order == .descending, let forgotten {
            let isWithinGroup = wanted.first?.id == forgotten.group
            if !isWithinGroup || start.group < forgotten.group {
                parts.append(.forgotten(through: Location(group: start.group, object: .max)))
            }
        }
        return parts
    }
}
