// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The command line of `chaos`.
struct ChaosOptions: Sendable {
    /// An argument that makes no sense.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static let usage = """
        usage: chaos [--seconds N] [--episodes N] [--from SEED] [--kind memory|network|process]
               chaos --seed SEED

        Runs random episodes until the time or the number is reached, and ends with "chaos: ok", or names what went
        wrong and how to run that episode again.

          --seconds N    begin no new episode after so many seconds (60)
          --episodes N   run so many episodes at most
          --from SEED    what the episodes' seeds are drawn from; otherwise it is different every time
          --kind KIND    only episodes of this kind
          --seed SEED    run the one episode of this seed

        """

    var seconds = 60.0
    var episodes = Int.max
    var origin = UInt64.random(in: 0...UInt64.max)
    var kind: EpisodeKind?
    var seed: UInt64?
    var isWorker = false
    var wantsHelp = false
    /// The arguments as they were given.
    let arguments: [String]

    init(_ arguments: [String]) throws(Failure) {
        self.arguments = arguments
        var rest = arguments[...]
        while let name = rest.popFirst() {
            switch name {
            case "--seconds": self.seconds = try Self.value(of: name, &rest, Double.init)
            case "--episodes": self.episodes = try Self.value(of: name, &rest) { Int($0) }
            case "--from": self.origin = try Self.value(of: name, &rest) { UInt64($0) }
            case "--seed": self.seed = try Self.value(of: name, &rest) { UInt64($0) }
            case "--kind": self.kind = try Self.value(of: name, &rest, EpisodeKind.init(rawValue:))
            case "--worker": self.isWorker = true
            case "--help", "-h": self.wantsHelp = true
            default: throw Failure(description: "unknown argument '\(name)'")
            }
        }
        if self.seed != nil { self.episodes = 1 }
    }

    private static func value<Value>(
        of name: String,
        _ rest: inout ArraySlice<String>,
        _ read: (String) -> Value?
    ) throws(Failure) -> Value {
        guard let text = rest.popFirst(), let value = read(text) else {
            throw Failure(description: "\(name) needs a value that makes sense")
        }
        return value
    }
}
