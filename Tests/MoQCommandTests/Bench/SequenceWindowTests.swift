// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import MoQCommand

@Suite("Window of numbers that came")
struct SequenceWindowTests {
    @Test("Numbers are new once, in whatever order they come")
    func order() {
        var window = SequenceWindow()
        for number in [0, 1, 5, 3, 2, 4, 70, 64, 63] as [UInt64] {
            #expect(window.insert(number) == .new, "\(number)")
        }
        for number in [0, 1, 2, 3, 4, 5, 63, 64, 70] as [UInt64] {
            #expect(window.insert(number) == .duplicate, "\(number)")
        }
        #expect(window.insert(69) == .new)
    }

    @Test("What is too far behind is neither new nor a duplicate, and gaps stay gaps when the window moves on")
    func moving() {
        var window = SequenceWindow()
        for number in stride(from: 0, to: 100_000, by: 2) as StrideTo<UInt64> {
            #expect(window.insert(number) == .new)
        }
        #expect(window.insert(99_998) == .duplicate)
        #expect(window.insert(99_997) == .new)
        #expect(window.insert(99_999 - 32_768) == .new)
        #expect(window.insert(99_999 - 32_769) == .tooOld)
        #expect(window.insert(0) == .tooOld)
    }

    @Test("A leap of any size clears what it passes", arguments: [32_767, 32_768, 1 << 40, UInt64.max - 1])
    func leaps(number: UInt64) {
        var window = SequenceWindow()
        #expect(window.insert(0) == .new)
        #expect(window.insert(number) == .new)
        #expect(window.insert(number) == .duplicate)
        #expect(window.insert(number - 1) == .new)
        #expect(window.insert(0) == (number == 32_767 ? .duplicate : .tooOld))
    }
}
