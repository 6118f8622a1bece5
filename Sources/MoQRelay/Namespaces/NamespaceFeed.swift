// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// One accepted SUBSCRIBE_NAMESPACE or SUBSCRIBE_TRACKS of one session. (loop)
final class NamespaceFeed {
    let owner: RelayPeer
    /// What the namespaces begin with, until the peer follows another prefix.
    var prefix: TrackNamespace
    let interest: SubscribeNamespace.Interest
    /// The forward state of the tracks that are offered as a result.
    let forward: Bool
    let request: IncomingSubscribeNamespace

    init(owner: RelayPeer, request: IncomingSubscribeNamespace) {
        self.owner = owner
        self.prefix = request.request.prefix
        self.interest = request.request.interest
        self.forward = request.request.forward ?? true
        self.request = request
    }

    /// Whether the peer wants NAMESPACE and NAMESPACE_DONE.
    var wantsNamespaces: Bool {
        self.interest != .tracks
    }

    /// Whether the peer wants PUBLISH for matching tracks.
    var wantsTracks: Bool {
        self.interest != .namespaces
    }
}
