// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// Finds out whether an upstream relay leads back to the relay that asks it. (loop)
///
/// The relay subscribes, upstream, to a track whose name is random and that nobody has. A relay that does not have a track
/// asks its own upstream, so if relays form a ring, the request comes back to where it began, over however many relays and
/// of whatever make. In every other case it is refused somewhere, or not answered: then the way is free.
///
/// ```
///   asked ── REQUEST_ERROR, SUBSCRIBE_OK, nothing for a while ──► over (free)
///     └───── the relay gets its own request ────────────────────► over (a ring), by the relay
/// ```
final class LoopCheck {
    /// The namespace of all such tracks. What is asked for in it is passed on by relays that are being checked themselves.
    static let namespace = TrackNamespace(path: "moqingbird/loop-check")

    /// How long the answer may take.
    static let timeout = Duration.seconds(2)

    /// The track that nobody has.
    let name: FullTrackName
    private var subscription: Subscription?
    private var timer: LoopTimer?
    private var freed: (() -> Void)?

    /// Calls `freed` on the loop, unless the check is cancelled before: when the request was not seen again.
    init(on session: MoQSession, freed: @escaping () -> Void) {
        var generator = SystemRandomNumberGenerator()
        let number = (0..<2).map { _ in String(UInt64.random(in: .min ... .max, using: &generator), radix: 16) }
        self.name = FullTrackName(namespace: Self.namespace, name: number.joined(separator: "-"))
        self.freed = freed
        self.timer = session.loop.schedule(after: Self.timeout) { [weak self] in
            self?.finish()
        }
        self.subscription = session.subscribe(
            SubscribeRequest(
                track: self.name,
                parameters: SubscriptionParameters(forward: true, filter: .nextObject)
            ),
            consumer: Nothing()
        ) { [weak self] _ in
            self?.finish()
        }
    }

    /// Ends the check; nothing is called any more.
    func cancel() {
        self.freed = nil
        self.timer?.cancel()
        self.timer = nil
        let subscription = self.subscription
        self.subscription = nil
        subscription?.cancel()
    }

    private func finish() {
        let freed = self.freed
        self.cancel()
        freed?()
    }

    /// Takes no object.
    private final class Nothing: TrackConsumer {
        func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? { nil }
        func receive(_ datagram: ObjectDatagram, payload: Bytes) {}
        func trackEnded(_ end: TrackEnd) {}
    }
}
