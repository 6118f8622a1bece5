// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

/// Every request is answered once, by whichever side and in whatever way, and an answer that comes too late does no harm.
@Suite("Answers")
struct MachineAnswerTests {
    /// The code that a step of a machine throws, and where the machine is then.
    private func code(_ body: () throws(ProtocolViolation) -> Void) -> SessionErrorCode? {
        SessionMachineTests.code(body)
    }

    @Test("An announcement that is refused has ended, and a second answer is a violation")
    func refusedAnnouncement() throws {
        var machine = AnnouncementMachine()
        try machine.receivedError()
        #expect(machine.state == .ended)
        #expect(self.code { () throws(ProtocolViolation) in try machine.receivedOk() } == .protocolViolation)
        #expect(self.code { () throws(ProtocolViolation) in try machine.receivedError() } == .protocolViolation)
    }

    @Test("We answer an announcement once, one way or the other", arguments: [true, false])
    func ownAnswer(accepting: Bool) {
        var machine = AnnouncementMachine()
        let answers = [machine.answer(accepting: accepting), machine.answer(accepting: !accepting)]
        #expect(answers == [true, false])
        #expect(machine.state == (accepting ? .established : .ended))
    }

    @Test("A feed that is refused, or was answered, takes no other answer")
    func feedAnswers() {
        let prefix = TrackNamespace(path: "a")
        var refused = NamespaceFeedMachine(prefix: prefix, reportsNamespaces: true)
        let answers = [refused.reject(), refused.accept(), refused.reject()]
        #expect(answers == [true, false, false])
        let sent = [refused.publish(TrackNamespace(path: "a/b")), refused.suffix(of: TrackNamespace(path: "a/b"))]
        #expect(sent == [nil, nil])

        var accepted = NamespaceFeedMachine(prefix: prefix, reportsNamespaces: true)
        let more = [accepted.accept(), accepted.reject()]
        #expect(more == [true, false])
        #expect(accepted.suffix(of: TrackNamespace(path: "a/b")) == TrackNamespace(path: "b"))
        #expect(accepted.suffix(of: TrackNamespace(path: "c")) == nil)
        let states = [accepted.ended(), accepted.ended()]
        #expect(states == [.established, .ended])
        let late = accepted.withdraw(TrackNamespace(path: "a/b"))
        #expect(late == nil)
    }

    @Test("A namespace subscription is answered once; what comes after its end is ignored")
    func namespaceSubscription() throws {
        let suffix = TrackNamespace(path: "b")
        var refused = NamespaceSubscriptionMachine(limit: 2)
        try refused.receivedError()
        #expect(self.code { () throws(ProtocolViolation) in try refused.receivedOk() } == .protocolViolation)
        #expect(self.code { () throws(ProtocolViolation) in try refused.receivedError() } == .protocolViolation)
        let news = try refused.receivedNamespace(suffix)
        #expect(!news)
        try refused.receivedNamespaceDone(suffix)

        var accepted = NamespaceSubscriptionMachine(limit: 2)
        try accepted.receivedOk()
        _ = try accepted.receivedNamespace(suffix)
        #expect(accepted.suffixes == [suffix])
        let states = [accepted.ended(), accepted.ended()]
        #expect(states == [.established, .ended])
        #expect(accepted.suffixes.isEmpty)
    }

    @Test("An offer is answered once; an answer that crossed its end comes too late")
    func offer() throws {
        var refused = PublicationMachine(origin: .offered)
        let first = try refused.offerRejected()
        #expect(first)
        #expect(refused.state == .ended)
        let late = [try refused.offerRejected(), try refused.offerAccepted()]
        #expect(late == [false, false])

        var accepted = PublicationMachine(origin: .offered)
        let taken = try accepted.offerAccepted()
        #expect(taken)
        #expect(self.code { () throws(ProtocolViolation) in _ = try accepted.offerAccepted() } == .protocolViolation)
        #expect(self.code { () throws(ProtocolViolation) in _ = try accepted.offerRejected() } == .protocolViolation)
    }

    @Test("A publication that is refused opens no stream and ends no second time")
    func refusedSubscription() {
        var machine = PublicationMachine(origin: .requested)
        let answers = [machine.reject(), machine.reject(), machine.accept()]
        #expect(answers == [true, false, false])
        let opened = machine.streamOpened()
        #expect(!opened)
        let action = machine.end(.trackEnded, reason: "")
        #expect(action == .none)
        let state = machine.cancelled()
        #expect(state == .ended)
    }

    @Test("A graver reason replaces the one that a publication is ending for")
    func graverReason() throws {
        var machine = PublicationMachine(origin: .requested)
        _ = machine.accept()
        machine.subgroupBegan()
        let actions = [machine.end(.trackEnded, reason: "done"), machine.abort(.tooFarBehind, reason: "slow")]
        #expect(actions == [.none, .none])
        let last = machine.subgroupClosed()
        #expect(last == .sendDone(.tooFarBehind, streamCount: 0, reason: "slow", isDelivered: true))
    }

    @Test("Request ids are to be had as long as the limit allows, for ever without one")
    func allocation() throws {
        // A noncopyable value is asked before what it says is judged.
        var bounded = RequestIDAllocator(role: .client, limit: RequestID(2))
        let before = (bounded.canAllocate, bounded.nextID)
        #expect(before == (true, RequestID(0)))
        let allocations = [bounded.allocate(), bounded.allocate(), bounded.allocate()]
        #expect(
            allocations == [.allocated(RequestID(0)), .blocked(announce: RequestID(2)), .blocked(announce: nil)]
        )
        let after = [
            bounded.canAllocate, bounded.hasIssued(RequestID(0)), bounded.hasIssued(RequestID(1)),
            bounded.hasIssued(RequestID(2)),
        ]
        #expect(after == [false, true, false, false])
        var unbounded = RequestIDAllocator(role: .server, limit: nil)
        let free = unbounded.canAllocate
        #expect(free)
        #expect(
            self.code { () throws(ProtocolViolation) in try unbounded.raise(to: RequestID(9)) } == .protocolViolation
        )
        unbounded.setInitialLimit(RequestID(1))
        let bound = unbounded.canAllocate
        #expect(!bound)
    }

    @Test("A ledger knows the ids of its peer only, and which one comes next")
    func ledger() {
        var ledger = RequestIDLedger(peer: .client, window: nil)
        let seen = [ledger.hasSeen(RequestID(1)), ledger.hasSeen(RequestID(0))]
        #expect(seen == [false, false])
        let next = ledger.nextUnused
        #expect(next == RequestID(0))
        let limit = ledger.requestEnded()
        #expect(limit == nil)
    }

    @Test("Time goes forward only, and not beyond its end")
    func instants() {
        let start = MonotonicInstant(microseconds: 5)
        #expect(start.advanced(by: .milliseconds(2)) == MonotonicInstant(microseconds: 2_005))
        #expect(start.advanced(by: .seconds(-1)) == start)
        #expect(start.advanced(by: .seconds(Int64.max)) == MonotonicInstant(microseconds: .max))
        #expect(start < start.advanced(by: .microseconds(1)))
    }
}
