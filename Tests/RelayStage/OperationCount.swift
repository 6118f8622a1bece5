// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter

/// How often something that costs time was done, for so many objects or for one.
public struct OperationCount: Hashable, Sendable {
    /// How often memory was asked for.
    public var allocations: Double
    /// How many references were taken.
    public var retains: Double
    /// How many references were given back.
    public var releases: Double

    /// Makes a count.
    public init(allocations: Double = 0, retains: Double = 0, releases: Double = 0) {
        self.allocations = allocations
        self.retains = retains
        self.releases = releases
    }

    /// What the calling thread has counted.
    init(_ counts: operation_counts) {
        self.allocations = Double(counts.allocations)
        self.retains = Double(counts.retains)
        self.releases = Double(counts.releases)
    }

    static func - (left: OperationCount, right: OperationCount) -> OperationCount {
        OperationCount(
            allocations: left.allocations - right.allocations,
            retains: left.retains - right.retains,
            releases: left.releases - right.releases
        )
    }

    static func * (count: OperationCount, factor: Double) -> OperationCount {
        OperationCount(
            allocations: count.allocations * factor,
            retains: count.retains * factor,
            releases: count.releases * factor
        )
    }
}
