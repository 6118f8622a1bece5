// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Writes amounts for people.
enum Quantity {
    /// Bytes in the largest unit of which there is at least one: `512 B`, `1.5 MiB`.
    static func bytes(_ count: UInt64) -> String {
        var value = Double(count)
        var unit = "B"
        for larger in ["KiB", "MiB", "GiB", "TiB"] where value >= 1_024 {
            value /= 1_024
            unit = larger
        }
        return unit == "B" ? "\(count) B" : "\(self.decimal(value, digits: 1)) \(unit)"
    }

    /// A rate in megabits per second, with one decimal; 0 when no time has passed.
    static func megabitsPerSecond(bytes: UInt64, seconds: Double) -> String {
        self.decimal(seconds > 0 ? Double(bytes) * 8 / seconds / 1_000_000 : 0, digits: 1)
    }

    /// A number with a fixed count of decimals, always with a point.
    static func decimal(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits {
            scale *= 10
        }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 9e15 else { return "\(value)" }
        let whole = Int64(scaled)
        let sign = value < 0 && whole > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(whole % Int64(scale))
        return "\(sign)\(whole / Int64(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// A length of time as `m:ss` or `h:mm:ss`.
    static func clock(seconds: Double) -> String {
        let total = Int64(max(0, min(seconds, 1e9)).rounded())
        let (hours, minutes, rest) = (total / 3_600, total / 60 % 60, total % 60)
        let tail = (rest < 10 ? "0" : "") + "\(rest)"
        return hours > 0 ? "\(hours):\(minutes < 10 ? "0" : "")\(minutes):\(tail)" : "\(minutes):\(tail)"
    }

    /// A duration in seconds.
    static func seconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }
}
