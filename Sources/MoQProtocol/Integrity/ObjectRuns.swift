// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Which objects of a group came, as runs of equal steps: one run for a subgroup that has every object, or every second
/// one. Only the newest runs are kept, so that what is remembered does not grow with the number of objects.
struct ObjectRuns {
    /// How many runs are kept.
    static let capacity = 8

    private struct Run {
        var first: UInt64
        var step: UInt64
        var last: UInt64

        func contains(_ id: UInt64) -> Bool {
            id >= self.first && id <= self.last && (id - self.first) % self.step == 0
        }

        /// Whether any object of the run is in the range.
        func intersects(_ range: ClosedRange<UInt64>) -> Bool {
            guard range.lowerBound > self.first else {
                return range.upperBound >= self.first
            }
            guard range.lowerBound <= self.last else {
                return false
            }
            // The last object is a whole number of steps away from the first, so going up to a step does not pass it.
            let excess = (range.lowerBound - self.first) % self.step
            let next = excess == 0 ? range.lowerBound : range.lowerBound + (self.step - excess)
            return next <= range.upperBound
        }
    }

    private var runs: [Run] = []
    /// The largest object that ever came.
    private(set) var largest: UInt64?

    /// How many runs are remembered.
    var count: Int {
        self.runs.count
    }

    /// An object came that is not in here.
    mutating func insert(_ id: UInt64) {
        self.largest = max(self.largest ?? id, id)
        if let last = self.runs.indices.last, id > self.runs[last].last {
            let distance = id - self.runs[last].last
            if self.runs[last].first == self.runs[last].last {
                self.runs[last].step = distance
            }
            if self.runs[last].step == distance {
                self.runs[last].last = id
                return
            }
        }
        if self.runs.count == Self.capacity {
            self.runs.removeFirst()
        }
        self.runs.append(Run(first: id, step: 1, last: id))
    }

    /// Whether the object came, as far as is remembered.
    func contains(_ id: UInt64) -> Bool {
        self.runs.contains { $0.contains(id) }
    }

    /// Whether any object of the range came, as far as is remembered.
    func intersects(_ range: ClosedRange<UInt64>) -> Bool {
        self.runs.contains { $0.intersects(range) }
    }
}
