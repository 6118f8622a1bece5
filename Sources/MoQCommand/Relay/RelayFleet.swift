// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQRelay
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// The shards of one relay, each on a loop of its own.
final class RelayFleet: Sendable {
    private let cells: [LoopCell<MoQRelay>]
    private let count = Locked(0)

    /// Makes room for so many shards.
    init(shards: Int) {
        self.cells = (0..<shards).map { _ in LoopCell() }
    }

    /// The shard that has the upstream relays.
    var first: LoopCell<MoQRelay> { self.cells[0] }

    /// Makes the next shard. Called on its loop.
    func addShard(on loop: PacketLoop, _ configuration: MoQRelayConfiguration) {
        let index = self.count.withLock { count in
            count += 1
            return count - 1
        }
        self.cells[index].set(MoQRelay(loop: loop, configuration: configuration), on: loop)
    }

    /// Hands a connection to the shard that lives on its loop. Called there.
    func accept(_ transport: any WebTransportSession, _ profile: DraftProfile, on loop: PacketLoop) -> MoQSession? {
        self.relays.first { $0.loop === loop }?.value.accept(transport, profile: profile)
    }

    private var relays: [LoopBound<MoQRelay>] {
        self.cells.compactMap(\.bound)
    }

    /// Makes the shards one relay. `lost` is called when it does not hold together any more.
    /// - Throws: ``CommandFailure``, when one of them cannot be reached.
    func join(hasUpstreams: Bool, lost: @escaping @Sendable (CommandFailure) -> Void) async throws {
        let relays = self.relays
        guard relays.count > 1 else {
            return
        }
        do {
            for relay in relays {
                try await relay.loop.run {
                    relay.value.onShardLost = { lost(CommandFailure("a shard of the relay is lost: \($0)")) }
                }
            }
            try await RelayShards.join(relays, gateway: hasUpstreams ? 0 : nil)
        } catch {
            throw CommandFailure("the shards of the relay cannot be joined: \(error)")
        }
    }

    /// What all shards have in hand and have done; those whose loops have ended are left out.
    var counters: MoQRelayCounters {
        get async {
            var sum = MoQRelayCounters()
            for relay in self.relays {
                if let counters = try? await relay.loop.run({ relay.value.counters }) {
                    sum.add(counters)
                }
            }
            return sum
        }
    }

    /// Lets the peers of all shards leave, and closes what is left. Returns what was counted at the end of that.
    func finish(drainTimeout: Duration) async -> MoQRelayCounters {
        await withTaskGroup(of: Void.self) { group in
            for cell in self.cells {
                group.addTask {
                    await cell.finish { relay, done in
                        relay.drain(timeout: drainTimeout, completion: done)
                    }
                }
            }
        }
        // Only now does no shard need another one.
        let counters = await self.counters
        for relay in self.relays {
            relay.loop.post { relay.value.close(reason: "the relay is going away") }
        }
        return counters
    }
}
