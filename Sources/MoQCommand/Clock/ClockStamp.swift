// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// A moment as `moq clock` sends it: ISO 8601 in UTC with milliseconds, such as `2026-05-04T03:02:01.000Z`.
struct ClockStamp: Hashable, Sendable {
    /// The number of characters of the text.
    static let length = 24

    /// Milliseconds since the beginning of 1970.
    var milliseconds: Int64

    /// A moment given in milliseconds since the beginning of 1970.
    init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Reads the text, with or without a line end behind it; nil when it is anything else.
    init?(parsing bytes: RawSpan) {
        guard bytes.byteCount >= Self.length, bytes.byteCount <= Self.length + 2 else { return nil }
        var text: [UInt8] = []
        for position in 0..<bytes.byteCount {
            text.append(unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self))
        }
        for byte in text[Self.length...] where byte != UInt8(ascii: "\n") && byte != UInt8(ascii: "\r") {
            return nil
        }
        for (position, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "."), (23, "Z")]
        where text[position] != Array(mark.utf8)[0] {
            return nil
        }
        guard let year = Self.number(text[0..<4]), let month = Self.number(text[5..<7]),
            let day = Self.number(text[8..<10]), let hour = Self.number(text[11..<13]),
            let minute = Self.number(text[14..<16]), let second = Self.number(text[17..<19]),
            let fraction = Self.number(text[20..<23]),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
        self.milliseconds = seconds * 1_000 + fraction
    }

    /// The moment now, on the system's clock.
    static var now: ClockStamp {
        ClockStamp(milliseconds: Int64(Self.microsecondsNow() / 1_000))
    }

    /// Microseconds since the beginning of 1970, on the system's clock.
    static func microsecondsNow() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1_000
    }

    /// The text, without a line end.
    var text: String {
        let fraction = Self.remainder(self.milliseconds, 1_000)
        let seconds = (self.milliseconds - fraction) / 1_000
        let secondOfDay = Self.remainder(seconds, 86_400)
        let (year, month, day) = Self.date(days: (seconds - secondOfDay) / 86_400)
        let clock = [secondOfDay / 3_600, secondOfDay / 60 % 60, secondOfDay % 60].map { Self.pad($0, to: 2) }
        return "\(Self.pad(year, to: 4))-\(Self.pad(month, to: 2))-\(Self.pad(day, to: 2))"
            + "T\(clock.joined(separator: ":")).\(Self.pad(fraction, to: 3))Z"
    }

    // MARK: - The calendar, counted in days from 1970 in years that begin in March

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let dayOfEra = Self.remainder(shifted, 146_097)
        let era = (shifted - dayOfEra) / 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func remainder(_ value: Int64, _ divisor: Int64) -> Int64 {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    private static func pad(_ value: Int64, to width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
