// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ

/// The sessions of a server that may still be open. Sessions belong to others; what is gone is forgotten. (loop)
final class SessionRoster {
    private struct Entry {
        weak var session: MoQSession?
    }

    private var entries: [Entry] = []
    private var nextPruning = 64

    /// How many sessions there have been.
    private(set) var total: UInt64 = 0

    func add(_ session: MoQSession) {
        self.total &+= 1
        self.entries.append(Entry(session: session))
        if self.entries.count >= self.nextPruning {
            self.entries.removeAll { $0.session?.isOpen != true }
            self.nextPruning = max(64, 2 * self.entries.count)
        }
    }

    /// The open sessions.
    var open: [MoQSession] {
        self.entries.compactMap(\.session).filter(\.isOpen)
    }
}
