// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic

/// The congestion control algorithms by name.
public enum CongestionControl {
    /// The names that a configuration may use.
    public static let names = ["newreno", "reno", "cubic", "dcubic", "fast", "bbr", "bbr1", "prague", "c4"]

    /// Registered once per process: the library's table is shared by all contexts and must not change under them.
    private static let registration: Void = {
        picoquic_register_all_congestion_control_algorithms()
    }()

    /// Makes the algorithms known to the library. Idempotent, callable from any thread.
    static func register() {
        _ = self.registration
    }

    /// Whether the library has an algorithm of this name. (It takes an unknown name without a word, and then never
    /// opens the congestion window.)
    static func isKnown(_ name: String) -> Bool {
        self.register()
        return unsafe picoquic_get_congestion_algorithm(name) != nil
    }
}
