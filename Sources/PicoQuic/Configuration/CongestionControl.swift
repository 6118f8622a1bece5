// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

/// The congestion control algorithms by name, and what can be set of them.
///
/// A setting is a name, or a name with options of the library behind it: `cubic`, `bbr1:Q0.05`, `bbr:T2000:Q0.05`.
///
/// | Option | of | means |
/// |---|---|---|
/// | `Q` and seconds, up to 1 | bbr, bbr1 | how much leaves at a time, in seconds of the paced rate (usually 0.001) |
/// | `T` and microseconds | bbr, bbr1 | round-trip times below this are no sign of a queue, for radio links that hold packets back |
/// | `S` and a number | bbr | the seed of its random choices |
/// | some of `A`, `D`, `E`, `H`, `L`, `R` | bbr | switch off a part of the library's changes to BBR |
public enum CongestionControl {
    /// The names that a configuration may use.
    public static let names = ["newreno", "reno", "cubic", "dcubic", "fast", "bbr", "bbr1", "prague", "c4"]

    /// Says what is wrong with a setting; nil when it can be used.
    public static func complaint(about setting: String) -> String? {
        let (name, options) = self.parse(setting)
        guard self.isKnown(name) else {
            return "unknown congestion control '\(name)', there are \(self.names.joined(separator: ", "))"
        }
        guard let options else {
            return nil
        }
        let letters: String
        switch name {
        case "bbr": letters = "ADEHLR"
        case "bbr1": letters = ""
        default: return "the congestion control '\(name)' takes no options ('\(setting)')"
        }
        // The library would read over what it does not know.
        let parts = options.split(separator: ":", omittingEmptySubsequences: false)
        guard let wrong = parts.first(where: { !self.isOption($0, letters: letters, hasSeed: name == "bbr") }) else {
            return nil
        }
        let more = letters.isEmpty ? "" : ", S and a number, letters of \(letters)"
        return "the congestion control '\(name)' has no option '\(wrong)', it takes T and microseconds, "
            + "Q and seconds of traffic up to 1\(more): '\(name):Q0.05'"
    }

    /// The name in a setting, and the options as the library reads them.
    static func parse(_ setting: String) -> (name: String, options: String?) {
        guard let colon = setting.firstIndex(of: ":") else {
            return (name: setting, options: nil)
        }
        return (name: String(setting[..<colon]), options: String(setting[setting.index(after: colon)...]))
    }

    private static func isOption(_ text: Substring, letters: String, hasSeed: Bool) -> Bool {
        let value = text.dropFirst()
        switch text.first {
        case "T": return self.isNumber(value)
        case "S" where hasSeed: return self.isNumber(value)
        case "Q":
            let halves = value.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.allSatisfy(self.isNumber), let seconds = Double(value) else {
                return false
            }
            return seconds > 0 && seconds <= 1
        case nil: return false
        default: return text.allSatisfy { letters.contains($0) }
        }
    }

    private static func isNumber(_ text: Substring) -> Bool {
        (1...9).contains(text.count) && text.allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// Whether the library has an algorithm of this name. (It takes an unknown name without a word, and then never
    /// opens the congestion window.)
    private static func isKnown(_ name: String) -> Bool {
        QUICLibrary.prepare()
        return unsafe picoquic_get_congestion_algorithm(name) != nil
    }
}
