// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Namespaces")
struct NamespaceMachineTests {
    private let prefix = TrackNamespace(path: "a")
    private let inside = TrackNamespace(path: "a/b")
    private let suffix = TrackNamespace(path: "b")

    @Test("A feed reports each namespace once, and withdraws what it reported")
    func feed() {
        var machine = NamespaceFeedMachine(prefix: self.prefix, reportsNamespaces: true)
        var sent = [machine.publish(self.inside)]
        _ = machine.accept()
        sent += [machine.withdraw(self.inside), machine.publish(self.inside), machine.publish(self.inside)]
        sent += [machine.publish(TrackNamespace(path: "x")), machine.withdraw(self.inside)]
        sent += [machine.withdraw(self.inside), machine.publish(self.prefix)]
        #expect(sent == [nil, nil, self.suffix, nil, nil, self.suffix, nil, TrackNamespace()])
    }

    @Test("A feed for a peer that wants tracks only is silent")
    func tracksOnly() {
        var machine = NamespaceFeedMachine(prefix: self.prefix, reportsNamespaces: false)
        _ = machine.accept()
        let sent = machine.publish(self.inside)
        #expect(sent == nil)
    }

    @Test("A subscriber insists on order and on a bound")
    func subscription() throws {
        var machine = NamespaceSubscriptionMachine(limit: 1)
        let suffix = self.suffix
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in _ = try machine.receivedNamespace(suffix) }
                == .protocolViolation
        )
        try machine.receivedOk()
        let news = [try machine.receivedNamespace(suffix), try machine.receivedNamespace(suffix)]
        #expect(news == [true, false])
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in
                _ = try machine.receivedNamespace(TrackNamespace(path: "c"))
            } == .protocolViolation
        )
        try machine.receivedNamespaceDone(suffix)
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in try machine.receivedNamespaceDone(suffix) }
                == .protocolViolation
        )
    }

    @Test("An announcement is answered once and ends once")
    func announcement() throws {
        var machine = AnnouncementMachine()
        try machine.receivedOk()
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in try machine.receivedError() }
                == .protocolViolation
        )
        let states = [machine.ended(), machine.ended()]
        #expect(states == [.established, .ended])
        let answered = machine.answer(accepting: true)
        #expect(!answered)
    }
}
