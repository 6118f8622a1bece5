// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
public import PacketLoop
import WebTransport
import WebTransportInMemory

/// Makes one relay of several, each of which lives on a loop, and so a thread, of its own: its shards.
///
/// A client has one shard, and does not notice. What it publishes, announces and asks for is known to the other shards, over
/// one session within the process for each pair of them. An object crosses once to each shard that has subscribers for it,
/// however many; it crosses by reference, together with everything else that happened in the same phase of the loop, and
/// nothing is shared or locked for it.
///
/// What came from another shard is never passed on to a third, nor asked of one. So each pair of shards has to be joined.
public enum RelayShards {
    /// Joins relays that have no sessions yet; returns when every one of them can be asked for what another one has.
    /// Callable from any thread. Clients that come before find only what there is at their own shard, so a server lets them in
    /// afterwards (`MoQPicoQuicServer.start(on:prepare:)`).
    ///
    /// Each relay counts for itself, without what goes on between shards, so that their counters can be added up
    /// (``MoQRelayCounters/add(_:)``), and its limits are its own. Objects that cross are counted where they leave.
    ///
    /// When one of the relays is closed, or its loop ends, the others lose what it brought, and tell so (see
    /// ``MoQRelay/onShardLost``); whoever ends one ends all. A relay with siblings that has drained keeps its sessions with
    /// them and with upstream relays until it is closed: others may not have drained, and need it.
    ///
    /// - Parameters:
    ///   - relays: all of them, each on a loop of its own.
    ///   - gateway: which of them has upstream relays (``MoQRelay/addUpstream(name:session:backoff:onEvent:dial:)``), if one
    ///     has. The others reach them over it. No more than one may have any.
    /// - Throws: when a loop has stopped, or stops meanwhile.
    public static func join(_ relays: [LoopBound<MoQRelay>], gateway: Int? = nil) async throws {
        let (answers, continuation) = AsyncStream<Bool>.makeStream()
        let shards = relays.enumerated().map { Shard(relay: $1, index: $0, isGateway: $0 == gateway) }
        var missing = 0
        for first in shards {
            for second in shards.dropFirst(first.index + 1) {
                let bridge = LoopBridge(configuration: Self.bridgeConfiguration)
                let near = try await first.run { Self.makeEnd(.client, of: bridge, at: first) }
                let far = try await second.run { Self.makeEnd(.server, of: bridge, at: second) }
                try await first.run { Self.connect(first, at: near, to: second, at: far) { continuation.yield($0) } }
                try await second.run { Self.connect(second, at: far, to: first, at: near) { continuation.yield($0) } }
                missing += 2
            }
        }
        var iterator = answers.makeAsyncIterator()
        while missing > 0 {
            guard await iterator.next() == true else {
                throw PacketLoopError.stopped
            }
            missing -= 1
        }
    }

    /// One of the relays, and what the others have to know of it.
    struct Shard: Sendable {
        let relay: LoopBound<MoQRelay>
        let index: Int
        let isGateway: Bool

        func run<R: Sendable>(_ body: @escaping @Sendable () -> R) async throws -> R {
            try await self.relay.loop.run(body)
        }
    }

    /// One end of a session between two shards, and where the relay at it is.
    struct End: Sendable {
        let end: LoopBound<LoopBridge.End>
        let address: LoopBridge.Address
        fileprivate let relay: LoopBound<WeakRelay>
    }

    /// Does not keep a relay.
    fileprivate struct WeakRelay {
        weak var relay: MoQRelay?
    }

    /// Makes one end, on the shard's loop.
    static func makeEnd(_ role: WebTransportRole, of bridge: LoopBridge, at shard: Shard) -> End {
        let loop = shard.relay.loop
        let end = bridge.makeEnd(role, on: loop)
        return End(
            end: LoopBound(end, on: loop),
            address: end.address,
            relay: LoopBound(WeakRelay(relay: shard.relay.value), on: loop)
        )
    }

    /// Makes another shard a sibling of this one, on this one's loop. `answer` is called once: with true when the other one
    /// can be asked, with false when the session with it ends before.
    static func connect(
        _ shard: Shard,
        at near: End,
        to other: Shard,
        at far: End,
        answer: @escaping @Sendable (Bool) -> Void
    ) {
        let own = shard.index
        let there = far.relay
        let relay = shard.relay.value
        let sibling = RelaySibling(
            index: other.index,
            isGateway: other.isGateway,
            relay: relay,
            tellLagging: { track, lags in
                there.loop.post { there.value.relay?.sibling(own, lags: lags, in: track) }
            },
            isReady: answer
        )
        relay.addSibling(sibling, over: near.end.value.session)
        near.end.value.connect(to: far.address)
    }

    /// Shards give each other all the streams they want: what limits requests and tracks is in the relays. Each stream has its
    /// window, but all together have none: a fetch that somebody reads slowly, or not at all, must not hold up what others
    /// get over the same session.
    static var bridgeConfiguration: LoopBridge.Configuration {
        var bounds = WebTransportConfiguration()
        bounds.sessionReceiveWindow = .max >> 1
        bounds.sessionHighWatermark = .max
        bounds.sessionLowWatermark = .max
        bounds.sessionQueueLimit = .max
        bounds.maximumIncomingUnidirectionalStreams = 1 << 20
        bounds.maximumIncomingBidirectionalStreams = 1 << 20
        bounds.maximumOutgoingStreams = 1 << 21
        bounds.datagramQueueCount = 4_096
        bounds.datagramQueueBytes = 8 << 20
        var configuration = LoopBridge.Configuration()
        configuration.client = bounds
        configuration.server = bounds
        return configuration
    }
}
