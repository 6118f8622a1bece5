// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

/// Runs episode after episode in this process, and prints how it goes.
struct ChaosRun {
    /// How the line begins that names the episode that is about to run, for whoever watches this process.
    static let announcement = "@episode "

    /// How much the process may grow after its first episodes. It grows by three megabytes, and with the address sanitizer by
    /// up to 256 more, which that keeps of freed memory.
    private static let growth = 384 << 20
    private static let warmUp = 40

    private let options: ChaosOptions
    private let clock = ContinuousClock()

    init(_ options: ChaosOptions) {
        self.options = options
    }

    /// Runs them all; returns whether every invariant held.
    func run() async -> Bool {
        let start = self.clock.now
        let end = start.advanced(by: .seconds(self.options.seconds))
        var seeds = ChaosRandom(seed: self.options.origin)
        var table = ChaosTable()
        var lastLine = start
        var baseline: Int?
        while table.episodes < self.options.episodes, table.episodes == 0 || self.clock.now < end {
            let seed = self.options.seed ?? seeds.next() >> 16
            let kind = self.options.kind ?? EpisodeKind(seed: seed)
            ChaosOutput.line("\(Self.announcement)\(seed) \(kind.rawValue)")
            var outcome = await Episode.run(seed: seed, kind: self.options.kind)
            if table.episodes == Self.warmUp { baseline = ProcessVitals.residentBytes }
            if let baseline, ProcessVitals.residentBytes > baseline + Self.growth {
                outcome.violations.append(
                    Violation(invariant: .memory, seen: "from \(baseline) to \(ProcessVitals.residentBytes) bytes")
                )
            }
            table.add(outcome)
            guard outcome.violations.isEmpty else {
                Self.report(outcome, options: self.options)
                return false
            }
            if lastLine.duration(to: self.clock.now) > .seconds(5) {
                lastLine = self.clock.now
                ChaosOutput.line("chaos: \(table.progress(after: start.duration(to: lastLine)))")
            }
        }
        ChaosOutput.line(
            table.text(after: start.duration(to: self.clock.now), origin: self.options.seed ?? self.options.origin)
        )
        ChaosOutput.line("chaos: ok")
        return true
    }

    private static func report(_ outcome: EpisodeOutcome, options: ChaosOptions) {
        ChaosOutput.line("chaos: FAILED in episode \(outcome.seed) (\(outcome.kind.rawValue))")
        for violation in outcome.violations { ChaosOutput.line("chaos: \(violation)") }
        ChaosOutput.line("chaos: \(self.replay(seed: outcome.seed, kind: options.kind))")
    }

    /// How to run an episode again.
    static func replay(seed: UInt64, kind: EpisodeKind?) -> String {
        "replay: make chaos SEED=\(seed)" + (kind.map { " KIND=\($0.rawValue)" } ?? "")
    }
}

/// What all episodes together came to.
struct ChaosTable {
    private(set) var episodes = 0
    private var kinds: [String: Int] = [:]
    private var operations: [String: Int] = [:]

    mutating func add(_ outcome: EpisodeOutcome) {
        self.episodes += 1
        self.kinds[outcome.kind.rawValue, default: 0] += 1
        self.operations.merge(outcome.operations) { $0 + $1 }
    }

    /// One line.
    func progress(after time: Duration) -> String {
        let bytes = self.operations["stream bytes received", default: 0]
        let connections = self.operations["connections", default: 0]
        return
            "\(Int(time.components.seconds)) s, \(self.episodes) episodes, \(connections) connections, \(bytes) bytes"
    }

    /// Everything.
    func text(after time: Duration, origin: UInt64) -> String {
        let kinds = self.kinds.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        var lines = [
            "seeds from \(origin), \(Int(time.components.seconds)) s", "episodes: \(self.episodes) (\(kinds))",
        ]
        for (name, count) in self.operations.sorted(by: { $0.key < $1.key }) {
            lines.append(name + String(repeating: " ", count: max(1, 36 - name.count)) + "\(count)")
        }
        return lines.joined(separator: "\n")
    }
}
