// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import WebTransport
import WebTransportPicoQuic

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The process that an episode of the kind ``EpisodeKind/process`` starts as its server: does what it is told on standard
/// input, and tells on standard output what came of it. Ends when there is nobody any more to tell it anything.
enum ChildServer {
    /// The argument that makes the program this.
    static let argument = "--serve"

    /// How long whatever has to come to an end may take.
    private static let patience = Duration.seconds(50)

    /// Serves; returns the exit status.
    static func run() async -> Int32 {
        var orders = self.orders().makeAsyncIterator()
        guard case .begin(let beginning)? = await orders.next() else { return 64 }
        let server = Server(beginning)
        guard await server.start() else { return 1 }
        while let order = await orders.next() {
            switch order {
            case .begin: return 64
            case .close(let code): await server.close(code: code)
            case .freeze(let milliseconds): server.freeze(milliseconds: milliseconds)
            case .settle:
                server.context.settlesNewcomers = true
                await Settlement.run(server.context, within: self.patience)
                self.say(.settled)
            case .stop(let code): return await server.stop(code: code, within: self.patience) ? 0 : 1
            }
        }
        return ChildProcess.orphanStatus
    }

    /// What comes on standard input. Its end ends the process on the spot, whatever that is doing.
    private static func orders() -> AsyncStream<ChildOrder> {
        let (stream, continuation) = AsyncStream<ChildOrder>.makeStream()
        Thread {
            while let line = readLine() {
                guard let order = try? JSONDecoder().decode(ChildOrder.self, from: Data(line.utf8)) else { _exit(64) }
                continuation.yield(order)
            }
            _exit(ChildProcess.orphanStatus)
        }.start()
        return stream
    }

    fileprivate static func say(_ word: ChildWord) {
        guard let line = try? JSONEncoder().encode(word) else { return }
        ChaosOutput.line(String(decoding: line, as: UTF8.self))
    }
}

/// The server and what is noticed of it.
private final class Server: Sendable {
    let context: EpisodeContext
    private let node: ServerNode
    private let port: UInt16
    private let hangs: Bool
    private let sockets: Int

    init(_ beginning: ChildOrder.Beginning) {
        let plan = ProcessPlan(seed: beginning.seed)
        let life = plan.lives[beginning.life]
        let secrets = plan.secrets(of: beginning.life)
        let sabotage = beginning.sabotage.flatMap(Sabotage.init(rawValue:))
        let context = EpisodeContext(
            seed: ChaosRandom.mix(beginning.seed, UInt64(beginning.life)),
            sabotage: sabotage,
            seesBothEnds: false
        )
        var configuration = ProcessWorld.configuration(plan, bounds: plan.serverBounds)
        configuration.credentials = .memory(certificate: [UInt8](beginning.certificate), key: [UInt8](beginning.key))
        configuration.retryPolicy = plan.retry
        configuration.statelessResetSeed = secrets.resetSeed
        configuration.ticketKeys = [secrets.ticketKey]
        if context.isDue(.forgetSecrets) { configuration.statelessResetSeed = nil }
        self.context = context
        self.port = beginning.port
        self.hangs = sabotage == .hang
        self.sockets = ProcessVitals.sockets
        self.node = ServerNode(
            context: context,
            configuration: configuration,
            bounds: plan.serverBounds,
            scripts: life.serverScripts,
            loops: configuration.packetLoop == .epoll ? life.loops : 1,
            asksKernel: life.asksKernel
        )
    }

    func start() async -> Bool {
        do {
            try await self.node.start(on: self.port)
        } catch {
            let invariant = Invariant.process.rawValue
            ChildServer.say(.violation(invariant: invariant, seen: "cannot listen on port \(self.port): \(error)"))
            return false
        }
        ChildServer.say(.listening(port: self.node.port))
        return true
    }

    /// Closes all sessions that there are.
    func close(code: UInt64) async {
        for peer in self.context.livePeers { _ = try? await peer.loop.run { peer.value.close(code: code) } }
    }

    /// Keeps one of the server's threads from doing anything for a while.
    func freeze(milliseconds: Int) {
        let loops = self.node.loops
        guard !loops.isEmpty else { return }
        self.context.count("freezes")
        loops[milliseconds % loops.count].post { Thread.sleep(forTimeInterval: Double(milliseconds) / 1_000) }
    }

    /// Stops, and tells how it went; returns whether it went well.
    func stop(code: UInt64, within patience: Duration) async -> Bool {
        if self.hangs { unsafe await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in } }
        let node = self.node
        if await !Deadline.run(within: patience, { await node.stop(code: code) }) {
            self.context.violate(.waiter, "the stop has not returned")
        }
        var remains = ChildWord.Remains()
        let statistics = await node.statistics
        remains.connections = statistics.connectionsLive
        remains.connectionsNotEnded = Int(
            clamping: Int64(clamping: statistics.connectionsCreated) - Int64(clamping: statistics.connectionsEnded)
        )
        let counters = node.loops.map(\.counters)
        remains.timers = counters.reduce(0) { $0 + $1.liveTimers }
        remains.jobs = counters.reduce(0) { $0 + $1.queuedJobs }
        await node.release()
        let untold = self.context.abandonPeers()
        for name in untold { self.context.violate(.told, "\(name) is never told of the end") }
        await NetworkWorld.awaitDestruction(self.context)
        Episode.conclude(self.context)
        remains.sessions = untold.count
        remains.sockets = ProcessVitals.sockets - self.sockets
        remains.objects = self.context.survivors.names.count
        remains.waiters = self.context.waiters.count
        for report in self.context.reports { ChildServer.say(.report(ChildReport(report))) }
        for violation in self.context.violations {
            ChildServer.say(.violation(invariant: violation.invariant.rawValue, seen: violation.seen))
        }
        ChildServer.say(.counts(self.context.operations))
        ChildServer.say(.ended(remains))
        return self.context.violations.isEmpty && remains.complaints.isEmpty
    }
}
