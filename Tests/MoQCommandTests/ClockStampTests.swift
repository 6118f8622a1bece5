// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@testable import MoQCommand

@Suite("The time as text")
struct ClockStampTests {
    @Test(
        "Known moments",
        arguments: zip(
            [0, 951_782_400_000, 1_709_164_799_999, 4_102_444_800_123, -1],
            [
                "1970-01-01T00:00:00.000Z", "2000-02-29T00:00:00.000Z", "2024-02-28T23:59:59.999Z",
                "2100-01-01T00:00:00.123Z", "1969-12-31T23:59:59.999Z",
            ]
        )
    )
    func known(milliseconds: Int, text: String) {
        #expect(ClockStamp(milliseconds: Int64(milliseconds)).text == text)
        #expect(ClockStamp(parsing: Bytes(utf8: text).span)?.milliseconds == Int64(milliseconds))
    }

    @Test("Every day of four centuries survives the way there and back")
    func days() {
        for day in stride(from: Int64(-20_000), to: 130_000, by: 1) {
            let stamp = ClockStamp(milliseconds: day * 86_400_000 + 43_200_000)
            guard ClockStamp(parsing: Bytes(utf8: stamp.text).span) == stamp else {
                Issue.record("\(stamp.text) is not read as it was written")
                return
            }
        }
    }

    @Test("A line end behind the text is allowed, anything else is not a time")
    func others() {
        let text = "2026-05-04T03:02:01.000Z"
        #expect(ClockStamp(parsing: Bytes(utf8: text + "\n").span) != nil)
        #expect(ClockStamp(parsing: Bytes(utf8: text + "\r\n").span) != nil)
        for other in [
            "", "2026", text + "x", text + "\n\n\n", "2026-13-04T03:02:01.000Z", "2026-05-04 03:02:01.000Z",
            "2026-05-04T03:02:01,000Z", "2o26-05-04T03:02:01.000Z", "2026-05-04T24:02:01.000Z",
        ] {
            #expect(ClockStamp(parsing: Bytes(utf8: other).span) == nil, "\(other)")
        }
    }
}
