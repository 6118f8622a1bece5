// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// Draws the bounds of a session: windows, queues and streams, often very tight ones.
enum SessionKnobs {
    /// Draws one side's bounds.
    static func draw(from random: inout ChaosRandom) -> WebTransportConfiguration {
        var bounds = WebTransportConfiguration()
        if random.chance(perMille: 600) {
            bounds.streamReceiveWindow = random.pick([1, 4, 16, 64]) << 10
            bounds.sessionReceiveWindow = bounds.streamReceiveWindow * random.pick([1, 2, 8])
        }
        if random.chance(perMille: 500) {
            bounds.streamHighWatermark = random.pick([1, 3, 20, 100]) << 10
            bounds.streamLowWatermark = bounds.streamHighWatermark / random.pick([2, 4])
            bounds.streamQueueLimit = bounds.streamHighWatermark * random.pick([1, 2, 10])
            bounds.sessionHighWatermark = bounds.streamHighWatermark * random.pick([1, 3])
            bounds.sessionLowWatermark = bounds.sessionHighWatermark / 2
            bounds.sessionQueueLimit = bounds.sessionHighWatermark * random.pick([1, 2, 10])
        }
        if random.chance(perMille: 400) {
            bounds.datagramQueueCount = random.pick([1, 3, 50])
            bounds.datagramQueueBytes = random.pick([1_100, 5_000, 50_000])
            bounds.datagramMaximumAge = .milliseconds(random.pick([1, 20, 500]))
        }
        if random.chance(perMille: 400) {
            bounds.maximumIncomingUnidirectionalStreams = random.pick([1, 2, 5, 30])
            bounds.maximumIncomingBidirectionalStreams = random.pick([1, 2, 5, 30])
        }
        if random.chance(perMille: 200) {
            bounds.maximumOutgoingStreams = random.pick([2, 10, 40])
        }
        return bounds
    }

    /// The most bytes that a stream should carry towards a side with these bounds, so that it does not take for ever.
    static func streamLimit(towards bounds: WebTransportConfiguration) -> Int {
        min(bounds.streamReceiveWindow * 12, 400_000)
    }
}
