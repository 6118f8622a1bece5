// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import PicoQuic
import WebTransport

/// What tests want to know of the sessions of one side, readable from any thread, awaitable.
final class Journal: Sendable {
    struct Facts {
        var setups = 0
        var paths: [String] = []
        var authorities: [String] = []
        var drafts: [DraftVersion] = []
        var subscribes = 0
        var goaways = 0
        var closures: [MoQSessionClosure] = []
        var endings: [QUICCloseInfo] = []
        var payloads: [[UInt8]] = []
        var trackEnds = 0
        var announcements = 0
        var fetches = 0
        var live: [ReceivedObject] = []
        var resets = 0
        var subscribeLargest: Location?
        var fetchAnswers: [Result<FetchOk, MoQError>] = []
        var fetched: [ReceivedObject] = []
        var fetchGaps = 0
        var fetchOutcomes: [FetchOutcome] = []
        /// Whether what belongs to a loop was released on it.
        var releases: [Bool] = []
    }

    /// Tells waiters apart.
    private final class Ticket: Sendable {}

    private struct Waiter {
        var ticket: Ticket
        var condition: @Sendable (Facts) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }

    private let content = Locked<(facts: Facts, waiters: [Waiter])>((Facts(), []))

    var facts: Facts { self.content.withLock { $0.facts } }

    func note(_ change: (inout Facts) -> Void) {
        let satisfied = self.content.withLock { content in
            change(&content.facts)
            let facts = content.facts
            let satisfied = content.waiters.filter { $0.condition(facts) }
            content.waiters.removeAll { $0.condition(facts) }
            return satisfied
        }
        for waiter in satisfied {
            waiter.continuation.resume()
        }
    }

    /// Waits until a condition holds. The suite's time limit bounds it: a test that is cancelled waits no longer.
    func wait(until condition: @escaping @Sendable (Facts) -> Bool) async {
        let ticket = Ticket()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.content.withLock { content in
                    if condition(content.facts) || Task.isCancelled {
                        return true
                    }
                    content.waiters.append(Waiter(ticket: ticket, condition: condition, continuation: continuation))
                    return false
                }
                if isOver {
                    continuation.resume()
                }
            }
        } onCancel: {
            let waiter = self.content.withLock { content in
                let waiter = content.waiters.first { $0.ticket === ticket }
                content.waiters.removeAll { $0.ticket === ticket }
                return waiter
            }
            waiter?.continuation.resume()
        }
    }
}

/// A session's owner that notes everything, and answers every SUBSCRIBE with one object and the end of the track.
final class TestPeer: MoQSessionHandler {
    static let payload: [UInt8] = (0..<5_000).map { UInt8(truncatingIfNeeded: $0) }

    private let journal: Journal
    private let leavesOnGoaway: Bool
    private var publishers: [TrackPublisher] = []

    init(journal: Journal, leavesOnGoaway: Bool = true) {
        self.journal = journal
        self.leavesOnGoaway = leavesOnGoaway
    }

    func sessionDidSetUp(_ session: MoQSession) {
        self.journal.note { facts in
            facts.setups += 1
            facts.drafts.append(session.profile.version)
            facts.paths.append(session.peerSetup?.path ?? "")
            facts.authorities.append(session.peerSetup?.authority ?? "")
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        self.journal.note { $0.subscribes += 1 }
        let publisher = request.accept()
        self.publishers.append(publisher)
        if let subgroup = publisher.beginSubgroup(SubgroupDescription(group: 0)) {
            subgroup.beginObject(ObjectHeader(objectID: 0, payloadLength: UInt64(Self.payload.count)))
            subgroup.receive(payload: Bytes(Self.payload))
            subgroup.finish()
        }
        publisher.end()
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {}
    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {}
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {}

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.journal.note { $0.goaways += 1 }
        if self.leavesOnGoaway {
            session.close()
        }
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.journal.note { $0.closures.append(closure) }
    }
}

/// Collects the objects of a track.
final class TestConsumer: TrackConsumer, SubgroupConsumer {
    private let journal: Journal
    private var current: [UInt8] = []
    private var missing: UInt64 = 0

    init(journal: Journal) {
        self.journal = journal
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? { self }
    func receive(_ datagram: ObjectDatagram, payload: Bytes) {}

    func trackEnded(_ end: TrackEnd) {
        self.journal.note { $0.trackEnds += 1 }
    }

    func beginObject(_ object: ObjectHeader) {
        self.current = []
        self.missing = object.payloadLength
    }

    func receive(payload: Bytes) {
        payload.append(to: &self.current)
        self.missing -= UInt64(payload.count)
        if self.missing == 0 {
            let whole = self.current
            self.journal.note { $0.payloads.append(whole) }
        }
    }

    func finish() {}
    func reset(_ code: StreamResetCode) {}
}
