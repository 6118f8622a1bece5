// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
package import Synchronization

/// What happens when somebody drops what they should have closed.
///
/// It is a mistake of the program and not of a peer, so a debug build stops where it shows. Whatever the build, the owner
/// that was dropped still closes what it had.
package enum Abandonment {
    /// How often it has happened in this process.
    package static let count = Atomic<Int>(0)

    /// Whether debug builds stop. For tests of what happens otherwise.
    package static let isFatal = Atomic<Bool>(true)

    /// Counts and logs it, and stops a debug build.
    package static func report(_ complaint: String) {
        self.count.add(1, ordering: .relaxed)
        Logger(label: "moq.lifetime").error("\(complaint)")
        assert(!self.isFatal.load(ordering: .relaxed), complaint)
    }
}
