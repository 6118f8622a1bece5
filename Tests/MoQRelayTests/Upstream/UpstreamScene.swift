// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import Testing

/// Two relays, the lower of which has the upper one for its upstream relay.
struct UpstreamScene {
    let network = RelayNetwork()
    let upper: MoQRelay
    let lower: MoQRelay
    let uplink: Uplink

    /// The relays speak this draft with each other, from now on or from ``join()`` on.
    init(_ profile: DraftProfile = .draft18, isJoined: Bool = true) {
        self.upper = self.network.relay()
        self.lower = self.network.relay()
        self.uplink = Uplink(loop: self.network.loop, profile: profile, to: self.upper)
        if isJoined {
            self.join()
        }
    }

    /// Connects the relays.
    func join() {
        self.uplink.add(to: self.lower)
        self.settle()
    }

    /// Connects a client to the upper relay.
    func above(_ profile: DraftProfile = .draft18) -> TestClient {
        self.network.client(of: self.upper, profile)
    }

    /// Connects a client to the lower relay.
    func below(_ profile: DraftProfile = .draft18) -> TestClient {
        self.network.client(of: self.lower, profile)
    }

    /// Lets a quarter of a second pass.
    func settle() {
        self.network.settle()
    }

    /// Closes all clients, checks that nothing is left of them, and closes the relays.
    func closeAll(sourceLocation: SourceLocation = #_sourceLocation) {
        self.network.closeAll(sourceLocation: sourceLocation)
    }
}
