// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport
import WebTransportInMemory

/// Runs an episode over simulated links, in virtual time, on the calling thread.
final class MemoryWorld {
    /// How long everything may take to come to its end, in virtual time.
    private static let patience = Duration.seconds(600)

    private let plan: MemoryPlan
    private let context: EpisodeContext
    private let loop: PacketLoop
    private let driver: ManualLoopDriver
    private let trace = TraceDigest()
    private var links: [InMemoryLink?] = []

    init(context: EpisodeContext) {
        self.plan = MemoryPlan(seed: context.seed)
        self.context = context
        self.loop = ManualLoopDriver.makeLoop(label: "chaos")
        self.driver = ManualLoopDriver(loop: self.loop)
    }

    /// Runs all of it; returns the digest of what happened.
    func run() -> UInt64 {
        for (index, link) in self.plan.links.enumerated() { self.begin(index, link) }
        for event in self.plan.events {
            self.loop.schedule(after: .microseconds(event.time)) { [unowned self] in
                self.happen(event.event, to: event.link)
            }
        }
        self.driver.advance(by: .milliseconds(self.plan.duration))
        if self.plan.settles { self.settle() }
        self.end()
        let last = UInt64(self.trace.events)
        self.context.count("events", self.trace.events)
        if self.context.sabotage == .forgetSeed { return UInt64.random(in: 0...UInt64.max) }
        return ChaosRandom.mix(self.trace.value, last)
    }

    private func begin(_ index: Int, _ plan: MemoryPlan.Link) {
        let link = InMemoryLink(loop: self.loop, configuration: plan.configuration)
        self.links.append(link)
        self.context.count("connections")
        self.context.watch(link, "link \(index)")
        for (name, session, script) in [("client", link.client, plan.client), ("server", link.server, plan.server)] {
            let peer = ChaosPeer(
                session,
                loop: self.loop,
                script: script,
                seed: ChaosRandom(seed: self.context.seed, UInt64(index), name == "client" ? 1 : 2).seed,
                name: "\(name) \(index)",
                context: self.context,
                trace: self.trace
            )
            peer.start()
        }
    }

    private func happen(_ event: MemoryPlan.Event, to index: Int) {
        switch event {
        case .sever(let cause):
            self.context.count("links severed")
            self.links[index]?.sever(cause)
        case .drop:
            self.context.count("links dropped")
            self.links[index] = nil
        case .loss(let share):
            self.context.count("loss changed")
            self.links[index]?.setLoss(share)
        }
    }

    /// Lets every live session bring its streams to their ends.
    private func settle() {
        for link in self.links { link?.setLoss(0) }
        let peers = self.context.livePeers
        for peer in peers { peer.value.settle() }
        var waited = Duration.zero
        while waited < Self.patience, peers.contains(where: { $0.value.unfinished != nil }) {
            self.driver.advance(by: .milliseconds(50))
            waited += .milliseconds(50)
        }
        for peer in peers {
            if let rest = peer.value.unfinished { self.context.violate(.rest, "does not come to its end: \(rest)") }
        }
        self.context.count("sessions settled", peers.count)
    }

    private func end() {
        for (index, peer) in self.context.livePeers.enumerated() where index % 3 != 2 {
            peer.value.close(code: UInt64(index))
        }
        self.driver.advance(by: .milliseconds(100))
        self.links = []
        // A close is repeated until it arrives, which with loss may be late.
        self.comeToRest()
        for name in self.context.abandonPeers() { self.context.violate(.told, "\(name) is never told of the end") }
        self.checkCounters()
        self.driver.stop()
    }

    /// Moves on until nothing is scheduled any more.
    private func comeToRest() {
        for _ in 0..<120 {
            let fired = self.loop.counters.timersFired
            if self.driver.advanceUntilIdle(limit: .seconds(1)), !self.loop.hasWork { return }
            guard self.loop.counters.timersFired - fired < 20_000 else {
                self.context.violate(.spin, "the loop is busy after everything is over")
                return
            }
        }
        self.context.violate(.rest, "the loop has work after everything is over")
    }

    private func checkCounters() {
        let counters = self.loop.counters
        self.context.check(counters.liveTimers == 0, .counters, "\(counters.liveTimers) timers after the end")
        self.context.check(counters.queuedJobs == 0, .counters, "\(counters.queuedJobs) jobs after the end")
        self.context.count("timers fired", Int(clamping: counters.timersFired))
        self.context.count("timers cancelled", Int(clamping: counters.timersCancelled))
    }
}
