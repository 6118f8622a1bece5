// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import MoQCommand

@Suite("Figures for people")
struct QuantityTests {
    @Test(
        "Bytes",
        arguments: zip([0, 1_023, 1_024, 1_536, 209_715_200], ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "200.0 MiB"])
    )
    func bytes(count: UInt64, text: String) {
        #expect(Quantity.bytes(count) == text)
    }

    @Test("Decimals are rounded and have a point")
    func decimals() {
        #expect(Quantity.decimal(1.25, digits: 1) == "1.3")
        #expect(Quantity.decimal(-0.04, digits: 1) == "0.0")
        #expect(Quantity.decimal(-2.5, digits: 1) == "-2.5")
        #expect(Quantity.decimal(3.007, digits: 2) == "3.01")
        #expect(Quantity.decimal(7, digits: 0) == "7")
    }

    @Test("Rates, also without time")
    func rates() {
        #expect(Quantity.megabitsPerSecond(bytes: 1_000_000, seconds: 2) == "4.0")
        #expect(Quantity.megabitsPerSecond(bytes: 1_000_000, seconds: 0) == "0.0")
    }

    @Test("The progress line tells share, rate and what is left")
    func progress() {
        let known = ProgressDisplay(total: 100 << 20, isVisible: false)
        #expect(known.line(bytes: 0, seconds: 1) == "0% of 100.0 MiB  waiting for a subscriber")
        #expect(known.line(bytes: 50 << 20, seconds: 10) == "50% of 100.0 MiB  41.9 Mbit/s  0:10 left")
        let unknown = ProgressDisplay(total: nil, isVisible: false)
        #expect(unknown.line(bytes: 1_024, seconds: 61) == "1.0 KiB  0.0 Mbit/s  1:01")
    }
}
