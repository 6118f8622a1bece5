// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims

/// The memory that the library keeps for packets to come, in one context.
///
/// By itself it keeps that of each packet that was acknowledged, and what the busiest moment of a month took for the rest
/// of the month. Here half of what is unused goes back each second, which a steady transfer hardly notices.
struct SparePackets {
    /// For how many packets memory stays at hand in any case.
    static let least: CInt = 64
    private static let microsecondsBetween: UInt64 = 1_000_000

    /// When some was given back last.
    private var last: UInt64 = 0

    /// Gives back what is due. Called in each round of the loop, outside of the library's callbacks.
    mutating func trim(_ quic: OpaquePointer, at now: UInt64) {
        guard now &- self.last >= Self.microsecondsBetween else {
            return
        }
        self.last = now
        unsafe cpq_trim_packets(quic, Self.least)
    }
}
