// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Many short moq-test tracks that together use every parameter but one, for `moq test-client --suite`.
enum MoQTestSuite {
    /// The tracks, all different.
    ///
    /// The last object is always one that exists, and with markers the marker, so that the readings of the draft do not
    /// matter in which implementations differ. No track has a delivery timeout, since the draft does not say that a
    /// publisher has to announce it.
    static let tuples: [MoQTestTuple] = {
        var all: [MoQTestTuple] = []
        // Every way to travel, with everything that can be said about objects.
        for forwarding: MoQTestTuple.Forwarding in [.subgroupPerGroup, .subgroupPerObject, .twoSubgroups, .datagrams] {
            all += Self.tuples(forwarding)
        }
        // What only streams can carry: large objects and large groups.
        for forwarding: MoQTestTuple.Forwarding in [.subgroupPerGroup, .subgroupPerObject, .twoSubgroups] {
            all += [
                Self.make(forwarding) {
                    $0.firstObjectSize = 1_000_000
                    $0.otherObjectSize = 10
                    $0.lastGroup = 1
                },
                Self.make(forwarding) {
                    $0.firstObjectSize = 0
                    $0.otherObjectSize = 70_000
                    $0.objectsPerGroup = 3
                },
                Self.make(forwarding) {
                    $0.firstObjectSize = 64
                    $0.objectsPerGroup = 100
                    $0.lastGroup = 1
                },
            ]
        }
        return all
    }()

    private static func tuples(_ forwarding: MoQTestTuple.Forwarding) -> [MoQTestTuple] {
        [
            self.make(forwarding) { _ in },
            self.make(forwarding) { $0.hasMarkers = true },
            self.make(forwarding) {
                $0.startGroup = 7
                $0.lastGroup = 15
                $0.groupIncrement = 4
            },
            self.make(forwarding) {
                $0.startObject = 3
                $0.objectIncrement = 2
                $0.hasMarkers = true
            },
            self.make(forwarding) {
                $0.objectIncrement = 7
                $0.groupIncrement = 1 << 20
                $0.lastGroup = 1 << 21
            },
            self.make(forwarding) {
                $0.startObject = 64
                $0.objectIncrement = 1 << 14
                $0.startGroup = 1 << 30
                $0.lastGroup = 1 << 30
            },
            self.make(forwarding) { $0.integerExtension = 100 },
            self.make(forwarding) {
                $0.variableExtension = 100
                $0.hasMarkers = true
            },
            self.make(forwarding) {
                $0.integerExtension = 1 << 20
                $0.variableExtension = 3
                $0.objectIncrement = 3
            },
            self.make(forwarding) {
                $0.firstObjectSize = 0
                $0.otherObjectSize = 0
            },
            self.make(forwarding) {
                $0.firstObjectSize = 0
                $0.otherObjectSize = 1
                $0.hasMarkers = true
                $0.integerExtension = 0x8000
            },
            self.make(forwarding) {
                $0.objectsPerGroup = 1
                $0.lastGroup = 6
            },
            self.make(forwarding) {
                $0.objectsPerGroup = 1
                $0.hasMarkers = true
                $0.startObject = 1
                $0.objectIncrement = 2
            },
            self.make(forwarding) {
                $0.lastGroup = 0
                $0.objectsPerGroup = 40
                $0.objectIncrement = 5
            },
        ]
    }

    /// Three groups of five objects, a few milliseconds apart, and what `change` makes of that.
    private static func make(
        _ forwarding: MoQTestTuple.Forwarding,
        _ change: (inout MoQTestTuple) -> Void
    ) -> MoQTestTuple {
        var tuple = MoQTestTuple()
        tuple.forwarding = forwarding
        tuple.lastGroup = 2
        tuple.objectsPerGroup = 5
        tuple.firstObjectSize = 700
        tuple.otherObjectSize = 32
        tuple.frequency = 2
        change(&tuple)
        return tuple
    }

    /// The tracks as jobs. Each has a name of its own, so that a relay takes none for one that it has already.
    /// - Parameter runName: what tells one run from the next.
    static func jobs(runName: String, fetch: Bool) -> [MoQTestJob] {
        self.tuples.enumerated().map { index, tuple in
            MoQTestJob(
                tuple: tuple,
                trackName: "\(runName)-\(index)",
                method: fetch
                    ? MoQTestJob.wholeTrack(of: tuple, order: index % 2 == 0 ? .ascending : .descending) : .subscribe
            )
        }
    }
}
