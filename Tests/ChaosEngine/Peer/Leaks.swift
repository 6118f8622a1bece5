// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Synchronization

/// Where things go that are leaked on purpose.
enum Leaks {
    /// Unchecked because nobody ever looks at it again.
    private struct Kept: @unchecked Sendable {
        let object: AnyObject
    }

    private static let kept = Mutex<[Kept]>([])

    /// Keeps an object for ever.
    static func keep(_ object: AnyObject) {
        let kept = Kept(object: object)
        self.kept.withLock { $0.append(kept) }
    }
}
