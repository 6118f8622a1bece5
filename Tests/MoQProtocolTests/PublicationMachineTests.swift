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
        machine.streamOpened()
        machine.streamOpened()
        var actions = [
            machine.streamClosed(), machine.end(.trackEnded, reason: "r"), machine.end(.expired, reason: ""),
        ]
        #expect(actions == [.none, .none, .none])
        actions = [machine.streamClosed()]
        #expect(actions == [.sendDone(.trackEnded, streamCount: 2, reason: "r", isDelivered: false)])
        actions = [machine.streamDelivered(), machine.streamDelivered(), machine.streamDelivered()]
        #expect(actions == [.none, .delivered, .none])
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
        machine.streamOpened()
        _ = machine.end(.trackEnded, reason: "")
        _ = machine.abort(.tooFarBehind, reason: "slow")
        let action = machine.streamClosed()
        #expect(action == .sendDone(.tooFarBehind, streamCount: 1, reason: "slow", isDelivered: false))
    }
}
