// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("The publisher's side of a subscription")
struct PublicationMachineTests {
    @Test("PUBLISH_DONE waits for open streams, the end for their delivery")
    func order() {
        var machine = PublicationMachine(origin: .requested)
        let accepts = [machine.accept(), machine.accept()]
        #expect(accepts == [true, false])
        machine.subgroupBegan()
        let isOpened1 = machine.streamOpened()
        #expect(isOpened1)
        machine.subgroupBegan()
        let isOpened2 = machine.streamOpened()
        #expect(isOpened2)
        var actions = [
            machine.subgroupClosed(), machine.end(.trackEnded, reason: "r"), machine.end(.expired, reason: ""),
        ]
        #expect(actions == [.none, .none, .none])
        actions = [machine.subgroupClosed()]
        #expect(actions == [.sendDone(.trackEnded, streamCount: 2, reason: "r", isDelivered: false)])
        actions = [machine.streamDelivered(), machine.streamDelivered(), machine.streamDelivered()]
        #expect(actions == [.none, .delivered, .none])
    }

    @Test("A subgroup without a stream holds PUBLISH_DONE back, and is not counted")
    func withoutStream() {
        var machine = PublicationMachine(origin: .requested)
        _ = machine.accept()
        machine.subgroupBegan()
        var action = machine.end(.trackEnded, reason: "")
        #expect(action == .none)
        action = machine.subgroupClosed()
        #expect(action == .sendDone(.trackEnded, streamCount: 0, reason: "", isDelivered: true))
        let isOpened3 = machine.streamOpened()
        #expect(!isOpened3)
    }

    @Test("Without streams everything happens at once")
    func empty() {
        var machine = PublicationMachine(origin: .requested)
        _ = machine.accept()
        let action = machine.end(.trackEnded, reason: "")
        #expect(action == .sendDone(.trackEnded, streamCount: 0, reason: "", isDelivered: true))
        let state = machine.state
        #expect(state == .ended)
    }

    @Test("An offer can end before it is answered, and the answer comes too late")
    func offer() throws {
        var machine = PublicationMachine(origin: .offered)
        let action = machine.end(.trackEnded, reason: "")
        #expect(action == .sendDone(.trackEnded, streamCount: 0, reason: "", isDelivered: true))
        let late = try machine.offerAccepted()
        #expect(!late)
    }

    @Test("An offer is answered once")
    func answers() throws {
        var machine = PublicationMachine(origin: .offered)
        let first = try machine.offerAccepted()
        #expect(first)
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in _ = try machine.offerRejected() }
                == .protocolViolation
        )
        var requested = PublicationMachine(origin: .requested)
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in _ = try requested.offerAccepted() }
                == .protocolViolation
        )
    }

    @Test("A graver reason replaces the one that waits")
    func abort() {
        var machine = PublicationMachine(origin: .requested)
        _ = machine.accept()
        machine.subgroupBegan()
        let isOpened4 = machine.streamOpened()
        #expect(isOpened4)
        _ = machine.end(.trackEnded, reason: "")
        _ = machine.abort(.tooFarBehind, reason: "slow")
        let action = machine.subgroupClosed()
        #expect(action == .sendDone(.tooFarBehind, streamCount: 1, reason: "slow", isDelivered: false))
    }
}
