// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule

/// How far the subgroups of a track got that are over, so that another publisher's copies of them are recognised. (loop)
///
/// It is written once for each subgroup and read only while a track has several publishers. Beyond its capacity the oldest
/// are forgotten; copies of those are taken for something new.
struct SubgroupHistory {
    /// How many subgroups are remembered of a track that has one publisher.
    static let usualCapacity = 128
    /// How many are while it has several.
    static let mergingCapacity = 1_024

    /// How far a subgroup got.
    struct Record: Equatable {
        var group: UInt64
        var subgroup: UInt64
        /// The last object all of which was passed on.
        var last: UInt64?
        /// Whether that was the last object of the subgroup.
        var isComplete: Bool
    }

    /// How many subgroups are remembered.
    var capacity = Self.usualCapacity {
        didSet {
            self.trim()
        }
    }

    private var records: Deque<Record> = []

    /// How many are remembered at the moment.
    var count: Int {
        self.records.count
    }

    /// A subgroup is over.
    mutating func note(_ record: Record) {
        self.records.append(record)
        self.trim()
    }

    /// What is remembered of a subgroup.
    func record(ofGroup group: UInt64, subgroup: UInt64) -> Record? {
        self.records.last { $0.group == group && $0.subgroup == subgroup }
    }

    private mutating func trim() {
        if self.records.count > self.capacity {
            self.records.removeFirst(self.records.count - self.capacity)
        }
    }
}
