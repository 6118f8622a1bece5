// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// Sees that a request of ours is answered once, and that what was accepted ends once.
class RequestWitness {
    let what: String
    let findings: SessionFindings
    private(set) var isAccepted = false
    private(set) var responses = 0
    private(set) var ends = 0

    init(_ what: String, _ findings: SessionFindings) {
        self.what = what
        self.findings = findings
    }

    func respond<Answer>(_ result: Result<Answer, MoQError>) {
        self.responses += 1
        self.findings.expect(self.responses == 1, "\(self.what) was answered \(self.responses) times")
        if case .success = result {
            self.isAccepted = true
        }
    }

    /// There is no request of ours: the peer offered.
    func accepted() {
        self.responses = 1
        self.isAccepted = true
    }

    func end() {
        self.ends += 1
        self.findings.expect(self.isAccepted, "\(self.what) ended without having been accepted")
        self.findings.expect(self.ends == 1, "\(self.what) ended \(self.ends) times")
    }

    /// Nothing may come before the request is accepted or after it has ended.
    func expectLive(_ event: String) {
        self.findings.expect(self.isAccepted, "\(self.what): \(event) before it was accepted")
        self.findings.expect(self.ends == 0, "\(self.what): \(event) after its end")
    }

    /// The session is over.
    func conclude(mustEnd: Bool) {
        self.findings.expect(self.responses == 1, "\(self.what) had \(self.responses) answers")
        if mustEnd {
            self.findings.expect(self.ends == (self.isAccepted ? 1 : 0), "\(self.what) ended \(self.ends) times")
        }
    }
}

/// Sees that objects come whole and in order.
struct ObjectLedger {
    private var missing: UInt64 = 0

    mutating func begin(_ length: UInt64, _ findings: SessionFindings) {
        findings.expect(self.missing == 0, "an object begins while \(self.missing) bytes of the one before are missing")
        self.missing = length
    }

    mutating func receive(_ count: Int, _ findings: SessionFindings) {
        findings.expect(
            count > 0 && UInt64(count) <= self.missing,
            "\(count) bytes of payload, \(self.missing) are missing"
        )
        self.missing -= min(self.missing, UInt64(max(0, count)))
    }

    func finish(_ findings: SessionFindings) {
        findings.expect(self.missing == 0, "the end while \(self.missing) bytes of an object are missing")
    }
}

/// Takes the objects of a subscription.
final class TrackWitness: RequestWitness, TrackConsumer {
    private final class Subgroup: SubgroupConsumer {
        private let owner: TrackWitness
        private var ledger = ObjectLedger()
        private var last: UInt64?
        private var isOver = false

        init(_ owner: TrackWitness) {
            self.owner = owner
        }

        func beginObject(_ object: ObjectHeader) {
            self.owner.findings.expect(!self.isOver, "an object after the end of its subgroup")
            self.owner.findings.expect(self.last.map { $0 < object.objectID } ?? true, "objects do not ascend")
            self.last = object.objectID
            self.ledger.begin(object.payloadLength, self.owner.findings)
        }

        func receive(payload: Bytes) {
            self.owner.findings.expect(!self.isOver, "payload after the end of its subgroup")
            self.ledger.receive(payload.count, self.owner.findings)
        }

        func finish() {
            self.ledger.finish(self.owner.findings)
            self.end()
        }

        func reset(_ code: StreamResetCode) {
            self.end()
        }

        private func end() {
            self.owner.findings.expect(!self.isOver, "a subgroup ended twice")
            self.isOver = true
            self.owner.open -= 1
        }
    }

    private var open = 0
    private var count = 0

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.expectLive("a subgroup")
        self.count += 1
        guard self.count % 5 != 4 else {
            return nil
        }
        self.open += 1
        return Subgroup(self)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.expectLive("a datagram")
        self.findings.expect(datagram.status == .normal || payload.isEmpty, "a status with payload")
    }

    func trackEnded(_ end: TrackEnd) {
        self.findings.expect(self.open == 0, "the track ended before \(self.open) of its subgroups")
        self.end()
    }
}

/// Takes the objects of a fetch.
final class FetchWitness: RequestWitness, FetchConsumer {
    private var ledger = ObjectLedger()

    func beginObject(_ object: FetchObjectHeader) {
        self.expectLive("an object")
        self.ledger.begin(object.payloadLength, self.findings)
    }

    func receive(payload: Bytes) {
        self.expectLive("payload")
        self.ledger.receive(payload.count, self.findings)
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        self.expectLive("the end of a range")
        self.ledger.finish(self.findings)
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        if outcome == .complete {
            self.ledger.finish(self.findings)
        }
        self.end()
    }
}
