// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// Everything of `moq test-origin` that lives on the loop: its sessions. (loop)
final class MoQTestOriginStage: EndpointStage {
    private let loop: PacketLoop
    private let outcome: Outcome<Void>
    private var sessions: [ObjectIdentifier: (session: MoQSession, peer: MoQTestOriginPeer)] = [:]

    /// `outcome` learns that the connection to the relay is lost.
    init(loop: PacketLoop, outcome: Outcome<Void>) {
        self.loop = loop
        self.outcome = outcome
    }

    /// The handler of a session. `relay` is what messages call the peer when this side announces to it; nil when it is
    /// a subscriber of ours.
    func makePeer(announcingTo relay: String?) -> MoQTestOriginPeer {
        MoQTestOriginPeer(loop: self.loop, announces: relay != nil) { [weak self] event in
            self?.handle(event, relay: relay)
        }
    }

    /// Keeps a session until it closes.
    func add(_ session: MoQSession, peer: MoQTestOriginPeer) {
        self.sessions[ObjectIdentifier(session)] = (session, peer)
    }

    /// Ends everything in order; `completion` is called on the loop when the sessions are closed.
    func close(completion: @escaping () -> Void) {
        let sessions = self.sessions.values.map { $0 }
        for entry in sessions {
            entry.peer.stop()
        }
        SessionFlush.wait(for: sessions.map(\.session), on: self.loop) { [weak self] in
            for entry in sessions {
                entry.session.close(.noError, reason: "")
            }
            self?.sessions = [:]
            completion()
        }
    }

    private func handle(_ event: PublishingPeer.Event, relay: String?) {
        for (key, entry) in self.sessions where !entry.session.isOpen {
            self.sessions[key] = nil
        }
        guard let relay else { return }
        switch event {
        case .announced:
            StandardStreams.say("announced \(MoQTestTuple.protocolName) to \(relay)")
        case .refused(let reason):
            let because = reason.isEmpty ? "" : ": \(reason)"
            self.outcome.fail(
                CommandFailure("relay \(relay) does not take the namespace '\(MoQTestTuple.protocolName)'\(because)")
            )
        case .goingAway:
            self.outcome.fail(CommandFailure("relay \(relay) is going away"))
        case .closed(let closure):
            self.outcome.fail(CommandFailure("connection to \(relay) lost: \(closure)"))
        }
    }
}
