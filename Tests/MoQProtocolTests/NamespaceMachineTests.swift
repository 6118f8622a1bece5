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

    @Test("A feed that moves keeps what begins with both prefixes, and forgets the rest")
    func movedFeed() {
        var machine = NamespaceFeedMachine(prefix: self.prefix, reportsNamespaces: true)
        _ = machine.accept()
        for path in ["a/b/c", "a/d"] {
            _ = machine.publish(TrackNamespace(path: path))
        }
        machine.move(to: self.inside)
        var sent = [machine.publish(TrackNamespace(path: "a/b/c")), machine.withdraw(TrackNamespace(path: "a/d"))]
        sent += [machine.publish(TrackNamespace(path: "a/b/e")), machine.withdraw(TrackNamespace(path: "a/b/c"))]
        machine.move(to: TrackNamespace())
        sent += [machine.publish(TrackNamespace(path: "a/b/e")), machine.publish(TrackNamespace(path: "a/d"))]
        let c = TrackNamespace(path: "c")
        #expect(sent == [nil, nil, TrackNamespace(path: "e"), c, nil, TrackNamespace(path: "a/d")])
        #expect(machine.prefix == TrackNamespace())
    }

    @Test("A subscriber that moves knows what begins with both prefixes, and is told what is out of sight")
    func movedSubscription() throws {
        var machine = NamespaceSubscriptionMachine(limit: 2)
        try machine.receivedOk()
        for path in ["b/c", "d"] {
            _ = try machine.receivedNamespace(TrackNamespace(path: path))
        }
        var gone = [machine.moved(from: self.prefix, to: self.inside)]
        var suffixes = [machine.suffixes]
        gone.append(machine.moved(from: self.inside, to: TrackNamespace()))
        suffixes.append(machine.suffixes)
        gone.append(machine.moved(from: TrackNamespace(), to: TrackNamespace(path: "x")))
        #expect(gone == [[TrackNamespace(path: "d")], [], [TrackNamespace(path: "a/b/c")]])
        #expect(suffixes == [[TrackNamespace(path: "c")], [TrackNamespace(path: "a/b/c")]])
        #expect(machine.suffixes.isEmpty)
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
