// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Brings the streams of the sessions of this process to their ends.
enum Settlement {
    /// Lets every live session, and those that begin meanwhile, do it, and waits until they have.
    static func run(_ context: EpisodeContext, within patience: Duration) async {
        let end = ContinuousClock.now.advanced(by: patience)
        while true {
            let peers = context.livePeers
            var rest: String?
            for peer in peers {
                let unfinished = try? await peer.loop.run { () -> String? in
                    peer.value.settle()
                    return peer.value.unfinished
                }
                rest = rest ?? unfinished.flatMap(\.self)
            }
            guard let rest else {
                context.count("sessions settled", peers.count)
                return
            }
            guard ContinuousClock.now < end else {
                context.violate(.rest, "does not come to its end: \(rest)")
                return
            }
            try? await Task.sleep(for: .milliseconds(2))
        }
    }
}
