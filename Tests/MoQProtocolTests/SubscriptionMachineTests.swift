// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("The subscriber's side of a subscription")
struct SubscriptionMachineTests {
    private static let start = MonotonicInstant(microseconds: 1_000)
    private static let deadline = MonotonicInstant(microseconds: 5_001_000)

    private func done(_ count: UInt64?) -> SubscriptionMachine.Done {
        SubscriptionMachine.Done(status: .trackEnded, streamCount: count, reason: "")
    }

    private func machine() throws(ProtocolViolation) -> SubscriptionMachine {
        var machine = SubscriptionMachine(gracePeriod: .seconds(5))
        try machine.accepted()
        return machine
    }

    @Test("PUBLISH_DONE after all streams ends at once")
    func complete() throws {
        var machine = try self.machine()
        machine.streamOpened()
        let ended = machine.streamEnded()
        #expect(ended == .none)
        let action = try machine.receivedDone(self.done(1), now: Self.start)
        #expect(action == .end(self.done(1)))
        let state = machine.state
        #expect(state == .ended)
    }

    @Test("Streams that are missing or open are waited for")
    func waits() throws {
        var machine = try self.machine()
        machine.streamOpened()
        let action = try machine.receivedDone(self.done(2), now: Self.start)
        #expect(action == .wait(until: Self.deadline))
        var ended = machine.streamEnded()
        #expect(ended == .none)
        machine.streamOpened()
        ended = machine.streamEnded()
        #expect(ended == .end(self.done(2)))
    }

    @Test("An unknown count waits for the end of the grace period")
    func unknownCount() throws {
        var machine = try self.machine()
        var action = try machine.receivedDone(self.done(nil), now: Self.start)
        #expect(action == .wait(until: Self.deadline))
        action = machine.graceTimerFired(now: Self.deadline, hasProgress: true)
        #expect(action == .wait(until: Self.deadline.advanced(by: .seconds(5))))
        action = machine.graceTimerFired(now: Self.deadline, hasProgress: false)
        #expect(action == .end(self.done(nil)))
        action = machine.graceTimerFired(now: Self.deadline, hasProgress: true)
        #expect(action == .none)
    }

    @Test("A stream that moves gets more time, one that does not is given up")
    func progress() throws {
        var machine = try self.machine()
        machine.streamOpened()
        _ = try machine.receivedDone(self.done(1), now: Self.start)
        var action = machine.graceTimerFired(now: Self.deadline, hasProgress: true)
        #expect(action == .wait(until: Self.deadline.advanced(by: .seconds(5))))
        action = machine.graceTimerFired(now: Self.deadline, hasProgress: false)
        #expect(action == .end(self.done(1)))
    }

    @Test("Where datagrams came, the end waits for those that PUBLISH_DONE overtook, and no longer")
    func datagrams() throws {
        let soon = Self.start.advanced(by: .milliseconds(100))
        for missing in [UInt64(0), 1] {
            var machine = SubscriptionMachine(gracePeriod: .seconds(5), datagramGracePeriod: .milliseconds(100))
            try machine.accepted()
            machine.streamOpened()
            machine.datagramArrived()
            var action = try machine.receivedDone(self.done(1 + missing), now: Self.start)
            #expect(action == .wait(until: soon))
            action = machine.streamEnded()
            #expect(action == .none)
            action = machine.graceTimerFired(now: soon, hasProgress: false)
            // A stream that is missing has its own time from then on.
            #expect(
                action == (missing == 0 ? .end(self.done(1)) : .wait(until: soon.advanced(by: .seconds(5))))
            )
        }
        var machine = SubscriptionMachine(gracePeriod: .seconds(5), datagramGracePeriod: .milliseconds(100))
        try machine.accepted()
        machine.streamOpened()
        _ = machine.streamEnded()
        let action = try machine.receivedDone(self.done(1), now: Self.start)
        #expect(action == .end(self.done(1)), "where all came on streams nothing is waited for")
    }

    @Test("PUBLISH_DONE without any stream can be in front of the datagrams, which get their time to come")
    func onlyDatagrams() throws {
        let soon = Self.start.advanced(by: .milliseconds(100))
        var machine = SubscriptionMachine(gracePeriod: .seconds(5), datagramGracePeriod: .milliseconds(100))
        try machine.accepted()
        var action = try machine.receivedDone(self.done(0), now: Self.start)
        #expect(action == .wait(until: soon))
        machine.datagramArrived()
        action = machine.graceTimerFired(now: soon, hasProgress: false)
        #expect(action == .end(self.done(0)))
    }

    @Test("Answers and ends come once and in order")
    func order() throws {
        var pending = SubscriptionMachine(gracePeriod: .zero)
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in
                _ = try pending.receivedDone(self.done(0), now: Self.start)
            } == .protocolViolation
        )
        var machine = try self.machine()
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in try machine.accepted() } == .protocolViolation
        )
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in try machine.rejected() } == .protocolViolation
        )
        machine.streamOpened()
        _ = try machine.receivedDone(self.done(2), now: Self.start)
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in
                _ = try machine.receivedDone(self.done(2), now: Self.start)
            } == .protocolViolation
        )
    }

    @Test("Cancelling says whom to tell")
    func cancel() throws {
        var pending = SubscriptionMachine(gracePeriod: .zero)
        let actions = [pending.cancel(), pending.cancel()]
        #expect(actions == [.cancel(wasEstablished: false), .nothing])
        var active = try self.machine()
        let second = active.cancel()
        #expect(second == .cancel(wasEstablished: true))
        var draining = try self.machine()
        _ = try draining.receivedDone(self.done(3), now: Self.start)
        let third = draining.cancel()
        #expect(third == .endLocally)
    }
}
