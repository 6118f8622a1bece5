// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// One accepted PUBLISH_NAMESPACE of one session. (loop)
final class Announcement {
    let owner: RelayPeer
    let namespace: TrackNamespace
    /// Kept because the session ends a request that nobody holds.
    let request: IncomingPublishNamespace

    init(owner: RelayPeer, request: IncomingPublishNamespace) {
        self.owner = owner
        self.namespace = request.request.namespace
        self.request = request
    }
}
