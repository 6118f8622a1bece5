// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// The essence of everything that happened in a run, in order: two runs are the same when their digests are. (loop)
final class TraceDigest {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var events = 0

    /// Adds something that happened.
    func add(_ event: StaticString, _ values: Int..., at time: LoopInstant) {
        self.events += 1
        self.mix(UInt64(truncatingIfNeeded: event.utf8CodeUnitCount))
        for value in values { self.mix(UInt64(truncatingIfNeeded: value)) }
        self.mix(time.microseconds)
    }

    /// Adds something that happened to one side.
    func add(_ event: StaticString, _ peer: Int, _ first: UInt64, _ second: UInt64, at time: LoopInstant) {
        event.withUTF8Buffer { buffer in
            for index in buffer.indices { unsafe self.mix(UInt64(buffer[index])) }
        }
        self.add(event, peer, Int(truncatingIfNeeded: first), Int(truncatingIfNeeded: second), at: time)
    }

    private func mix(_ value: UInt64) {
        self.value = ChaosRandom.mix(self.value, value)
    }
}
