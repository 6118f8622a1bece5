// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Where an episode takes place.
package enum EpisodeKind: String, Sendable, CaseIterable {
    /// Over simulated links in virtual time: the same in every run.
    case memory
    /// Over loopback sockets, all endpoints in this process.
    case network
    /// Over loopback sockets, the server in a process of its own, which is stopped or killed and comes back.
    case process

    /// The kind that a seed stands for.
    package init(seed: UInt64) {
        var random = ChaosRandom(seed: seed, 0x6b69_6e64)
        switch random.below(1_000) {
        case ..<450: self = .memory
        case ..<920: self = .network
        default: self = .process
        }
    }
}

/// What became of an episode.
package struct EpisodeOutcome: Sendable {
    package var seed: UInt64
    package var kind: EpisodeKind
    package var violations: [Violation]
    package var operations: [String: Int]
    /// What the run comes down to, where that is the same every time.
    package var digest: UInt64?
}

/// Runs single episodes.
package enum Episode {
    /// Runs the episode that a seed stands for.
    ///
    /// - Parameters:
    ///   - kind: where, when that is not what the seed says.
    ///   - sabotage: what to do wrong on purpose.
    ///   - executable: the program `chaos`, when that is not what runs here.
    package static func run(
        seed: UInt64,
        kind: EpisodeKind? = nil,
        sabotage: Sabotage? = nil,
        executable: String = "/proc/self/exe"
    ) async -> EpisodeOutcome {
        let kind = kind ?? EpisodeKind(seed: seed)
        if kind != .memory { await self.warmUp.value }
        let descriptors = ProcessVitals.descriptors
        var outcome: EpisodeOutcome
        switch kind {
        case .memory: outcome = self.runInMemory(seed: seed, sabotage: sabotage)
        case .network: outcome = await NetworkWorld.run(seed: seed, sabotage: sabotage)
        case .process: outcome = await ProcessWorld.run(seed: seed, sabotage: sabotage, executable: executable)
        }
        let leaked = sabotage == .leakDescriptor ? ProcessVitals.openDescriptor() : nil
        let now = ProcessVitals.descriptors
        if let leaked { ProcessVitals.close(leaked) }
        if now != descriptors {
            outcome.violations.append(
                Violation(invariant: .descriptors, seen: "\(descriptors) descriptors before, \(now) after")
            )
        }
        return outcome
    }

    /// The first endpoint of a process opens descriptors that stay: those of the concurrency runtime's own threads. So does
    /// the first function that a sanitizer names, be it for a report that is suppressed.
    private static let warmUp = Task {
        ProcessVitals.startSymbolizer()
        _ = await NetworkWorld.run(seed: 1, sabotage: nil)
    }

    /// Runs an episode in virtual time twice, and compares.
    private static func runInMemory(seed: UInt64, sabotage: Sabotage?) -> EpisodeOutcome {
        let (context, digest) = self.memoryRun(seed: seed, sabotage: sabotage)
        let (again, repeated) = self.memoryRun(seed: seed, sabotage: sabotage)
        var violations = context.violations
        if violations.isEmpty { violations = again.violations }
        if digest != repeated {
            violations.append(
                Violation(
                    invariant: .replay,
                    seen: "digest \(String(digest, radix: 16)), then \(String(repeated, radix: 16))"
                )
            )
        }
        return EpisodeOutcome(
            seed: seed,
            kind: .memory,
            violations: violations,
            operations: context.operations,
            digest: digest
        )
    }

    private static func memoryRun(seed: UInt64, sabotage: Sabotage?) -> (EpisodeContext, UInt64) {
        let context = EpisodeContext(seed: seed, sabotage: sabotage)
        let digest = MemoryWorld(context: context).run()
        self.conclude(context)
        return (context, digest)
    }

    /// Checks what can be checked only when everything is over and let go of.
    static func conclude(_ context: EpisodeContext) {
        Reconciliation(context).run()
        for waiter in context.waiters { context.violate(.waiter, "\(waiter) has not returned") }
        let (survivors, made) = context.survivors
        for name in survivors.prefix(3) { context.violate(.destroyed, "\(name) is still there") }
        if survivors.count > 3 { context.violate(.destroyed, "\(survivors.count) of \(made) objects are still there") }
        context.count("objects made and destroyed", made - survivors.count)
        context.undoSabotage()
    }
}
