// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing

@testable import MoQCommand

@Suite("Pacing")
struct PacerTests {
    /// Sends as fast as the pacer allows and counts.
    private func count(rate: Double, over duration: UInt64) -> Int {
        var pacer = Pacer(rate: rate)
        var now = LoopInstant(microseconds: 1_000)
        let end = now.microseconds + duration
        var sent = 0
        while now.microseconds < end {
            if let wait = pacer.take(at: now) {
                now = now.advanced(by: wait)
            } else {
                sent += 1
            }
        }
        return sent
    }

    @Test("The rate is kept", arguments: [0.5, 1, 30, 1_000, 25_000])
    func rate(rate: Double) {
        let seconds = 10.0
        let sent = Double(self.count(rate: rate, over: UInt64(seconds * 1_000_000)))
        #expect(abs(sent - rate * seconds) <= max(2, rate * seconds * 0.01))
    }

    @Test("After a pause no more than a tenth of a second's worth comes at once")
    func burst() {
        var pacer = Pacer(rate: 100)
        var now = LoopInstant(microseconds: 0)
        #expect(pacer.take(at: now) == nil)
        now = now.advanced(by: .seconds(60))
        var burst = 0
        while pacer.take(at: now) == nil {
            burst += 1
        }
        #expect(burst == 10)
    }

    @Test("A permission that is given back can be taken at once")
    func giveBack() {
        var pacer = Pacer(rate: 1)
        let now = LoopInstant(microseconds: 0)
        #expect(pacer.take(at: now) == nil)
        #expect(pacer.take(at: now) != nil)
        pacer.giveBack()
        #expect(pacer.take(at: now) == nil)
    }
}
