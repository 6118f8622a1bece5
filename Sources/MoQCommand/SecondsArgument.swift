// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// A length of time on the command line, in seconds: `5`, `0.25`.
struct SecondsArgument: Hashable, Sendable, ExpressibleByArgument {
    /// More than anybody waits for, and far from every limit of the arithmetic.
    private static let maximum = 31_536_000.0

    /// The length.
    var duration: Duration

    init?(argument: String) {
        guard let seconds = Double(argument), seconds >= 0, seconds <= Self.maximum else {
            return nil
        }
        self.duration = .microseconds(Int64(seconds * 1_000_000))
    }

    /// A whole number of seconds, for defaults.
    init(seconds: Int64) {
        self.duration = .seconds(seconds)
    }

    var defaultValueDescription: String {
        "\(self.duration.components.seconds)"
    }
}
