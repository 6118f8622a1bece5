// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

/// The congestion control algorithms by name.
public enum CongestionControl {
    /// The names that a configuration may use.
    public static let names = ["newreno", "reno", "cubic", "dcubic", "fast", "bbr", "bbr1", "prague", "c4"]

    /// Whether the library has an algorithm of this name. (It takes an unknown name without a word, and then never
    /// opens the congestion window.)
    static func isKnown(_ name: String) -> Bool {
        QUICLibrary.prepare()
        return unsafe picoquic_get_congestion_algorithm(name) != nil
    }
}
