// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import WebTransport
import WebTransportInMemory

/// What it takes for somebody who does not read to be noticed soon.
enum SlowReading {
    static let bound = 512 << 10

    /// A relay that holds at most half a megabyte for a subscriber.
    static var configuration: MoQRelayConfiguration {
        var session = MoQSessionConfiguration()
        session.maxQueuedBytesPerTrack = Self.bound
        session.trackHighWatermark = 128 << 10
        session.trackLowWatermark = 64 << 10
        return MoQRelayConfiguration(session: session)
    }

    /// A link on which a client that does not read takes little, and the relay takes little that it does not read.
    static var link: InMemoryLinkConfiguration {
        var link = InMemoryLinkConfiguration()
        link.client.streamReceiveWindow = 64 << 10
        link.client.sessionReceiveWindow = 256 << 10
        link.server.streamReceiveWindow = 64 << 10
        link.server.sessionReceiveWindow = 256 << 10
        return link
    }
}
