// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import PacketLoop

/// The sessions of a server: which may still be open, and what those that have closed had done. Sessions belong to
/// others; what is gone is forgotten. (loop)
final class SessionRoster {
    private struct Entry {
        weak var session: MoQSession?
    }

    private struct Ledger {
        var created: UInt64 = 0
        var ended: UInt64 = 0
        var sum = MoQSessionStatistics()
    }

    private var entries: [Entry] = []
    private var nextPruning = 64
    /// Changed on the loop, when a session begins or ends; read anywhere.
    private let ledger = Locked(Ledger())

    func add(_ session: MoQSession) {
        self.ledger.withLock { $0.created &+= 1 }
        guard session.isOpen else {
            self.settle(session)
            return
        }
        session.didEnd = { [weak self] in self?.settle($0) }
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

    /// Takes over what a session had done that has closed.
    private func settle(_ session: MoQSession) {
        let statistics = session.statistics.totals
        self.ledger.withLock { ledger in
            ledger.ended &+= 1
            ledger.sum.add(statistics)
        }
    }

    // MARK: - Statistics

    /// Fills in what closed sessions have left. Callable from any thread.
    func reportEnded(in statistics: inout MoQEndpointStatistics) {
        let ledger = self.ledger.withLock { $0 }
        statistics.sessionsCreated = ledger.created
        statistics.sessionsEnded = ledger.ended
        statistics.sessions = ledger.sum
    }

    /// The sum over the open sessions, and how many there are.
    var openStatistics: (count: Int, sum: MoQSessionStatistics) {
        let open = self.open
        return (open.count, open.reduce(into: MoQSessionStatistics()) { $0.add($1.statistics) })
    }
}
