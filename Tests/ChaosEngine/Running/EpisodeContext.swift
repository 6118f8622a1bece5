// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Synchronization

/// What belongs to one episode and is shared by all its threads: the seed, what was noticed, and what still lives.
final class EpisodeContext: Sendable {
    /// Something whose destruction is expected. Unchecked because a weak reference may be read anywhere.
    private struct Watched: @unchecked Sendable {
        weak let object: AnyObject?
        let name: String
    }

    /// Something that is kept on purpose. Unchecked because nobody looks at it until its loop has stopped.
    private struct Kept: @unchecked Sendable {
        let object: AnyObject
    }

    /// A side of a session whose end has not come yet.
    private struct Member {
        var peer: LoopBound<ChaosPeer>
        var name: String
        var listens = false
    }

    private struct State {
        var violations: [Violation] = []
        var operations: [String: Int] = [:]
        var reports: [PeerReport] = []
        var peers: [Int: Member] = [:]
        var nextPeer = 0
        var watched: [Watched] = []
        var waiters: [Int: String] = [:]
        var nextWaiter = 0
        var kept: [Kept] = []
        var lost: [CheckedContinuation<Void, Never>] = []
    }

    /// So many violations are kept; the first ones matter.
    private static let limit = 20

    let seed: UInt64
    /// What is done wrong on purpose, to see it noticed.
    let sabotage: Sabotage?
    /// Whether both ends of every session are in this process, so that their reports can be compared.
    let seesBothEnds: Bool
    private let state = Locked(State())
    private let sabotageIsDue = Atomic<Bool>(true)
    private let newcomersSettle = Atomic<Bool>(false)

    init(seed: UInt64, sabotage: Sabotage? = nil, seesBothEnds: Bool = true) {
        self.seed = seed
        self.sabotage = sabotage
        self.seesBothEnds = seesBothEnds
    }

    /// Whether sessions that begin now have to come to their end at once.
    ///
    /// Set where the other ends are in another process: it waits for them, and knows of sessions that have not begun here.
    var settlesNewcomers: Bool {
        get { self.newcomersSettle.load(ordering: .relaxed) }
        set { self.newcomersSettle.store(newValue, ordering: .relaxed) }
    }

    // MARK: - Violations

    /// Notes that an invariant does not hold.
    func violate(_ invariant: Invariant, _ seen: String) {
        self.state.withLock { state in
            guard state.violations.count < Self.limit else { return }
            state.violations.append(Violation(invariant: invariant, seen: seen))
        }
    }

    /// Notes an invariant that does not hold, unless the condition does.
    func check(_ condition: Bool, _ invariant: Invariant, _ seen: @autoclosure () -> String) {
        guard !condition else { return }
        self.violate(invariant, seen())
    }

    /// What was noticed so far.
    var violations: [Violation] { self.state.withLock { $0.violations } }

    /// Whether the defect `kind` is to be put in here and now; true once.
    func isDue(_ kind: Sabotage, if condition: Bool = true) -> Bool {
        condition && self.sabotage == kind && self.sabotageIsDue.exchange(false, ordering: .relaxed)
    }

    /// Keeps an object that nobody should keep, until the sabotage is undone.
    func keep(_ object: AnyObject) {
        let kept = Kept(object: object)
        self.state.withLock { $0.kept.append(kept) }
    }

    /// Does not return until the sabotage is undone.
    func loseTask() async {
        await withCheckedContinuation { continuation in self.state.withLock { $0.lost.append(continuation) } }
    }

    /// Lets go of what was kept and resumes what was lost, when everything has been checked.
    func undoSabotage() {
        let (kept, lost) = self.state.withLock { state in
            defer { (state.kept, state.lost) = ([], []) }
            return (state.kept, state.lost)
        }
        for continuation in lost { continuation.resume() }
        withExtendedLifetime(kept) {}
    }

    // MARK: - Counts

    /// Counts things that were done.
    func count(_ operation: String, _ number: Int = 1) {
        guard number != 0 else { return }
        self.state.withLock { $0.operations[operation, default: 0] += number }
    }

    /// Everything that was counted.
    var operations: [String: Int] { self.state.withLock { $0.operations } }

    // MARK: - Waiters

    /// Does something that must return some time, and knows until then that it has not.
    func waiting<Result: Sendable>(
        for what: String,
        _ body: () async throws -> Result
    ) async rethrows -> Result {
        let number = self.state.withLock { state in
            state.nextWaiter += 1
            state.waiters[state.nextWaiter] = what
            return state.nextWaiter
        }
        defer { self.state.withLock { _ = $0.waiters.removeValue(forKey: number) } }
        return try await body()
    }

    /// What has not returned yet.
    var waiters: [String] { self.state.withLock { $0.waiters.values.sorted() } }

    // MARK: - Objects

    /// Expects an object to be destroyed by the end of the episode.
    func watch(_ object: AnyObject, _ name: String) {
        let watched = Watched(object: object, name: name)
        self.state.withLock { $0.watched.append(watched) }
    }

    /// The names of the objects that are still there, and how many have been made.
    var survivors: (names: [String], made: Int) {
        self.state.withLock { state in
            (state.watched.filter { $0.object != nil }.map(\.name), state.watched.count)
        }
    }

    // MARK: - Peers

    /// Takes note of a new side of a session; returns its number.
    func join(_ peer: LoopBound<ChaosPeer>, name: String) -> Int {
        self.state.withLock { state in
            state.nextPeer += 1
            state.peers[state.nextPeer] = Member(peer: peer, name: name)
            return state.nextPeer
        }
    }

    /// Takes note that a side has become its session's handler: from now on it has to be told of the end.
    func listens(_ number: Int) {
        self.state.withLock { $0.peers[number]?.listens = true }
    }

    /// The sides whose end has not come yet.
    var livePeers: [LoopBound<ChaosPeer>] {
        self.state.withLock { state in
            state.peers.sorted { $0.key < $1.key }.map(\.value.peer)
        }
    }

    /// How many sides there have been.
    var peersMade: Int { self.state.withLock { $0.nextPeer } }

    /// Takes what a side has to tell at its end.
    func leave(_ number: Int, _ report: PeerReport) {
        let gone = self.state.withLock { state in
            state.reports.append(report)
            return state.peers.removeValue(forKey: number)
        }
        self.check(gone != nil, .once, "\(report.name) was told of its end twice")
    }

    /// Forgets the sides that nobody will tell of an end any more; returns the names of those that should have been told.
    func abandonPeers() -> [String] {
        let rest = self.state.withLock { state in
            let rest = state.peers.sorted { $0.key < $1.key }.map(\.value)
            state.peers = [:]
            return rest
        }
        return rest.filter(\.listens).map(\.name)
    }

    /// What the sides told at their ends.
    var reports: [PeerReport] { self.state.withLock { $0.reports } }
}
