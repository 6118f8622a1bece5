// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import Synchronization
import Testing

/// What a first byte asks for.
private enum Request {
    static let load: UInt8 = 1
    static let ping: UInt8 = 2
}

/// What both sides note, readable from any thread.
private final class Ledger: Sendable {
    /// What the load took between a question and its answer.
    struct Gap {
        /// Turns in which it was asked for bytes.
        var turns: UInt64 = 0
        var bytes = 0
    }

    struct State {
        var loop: PacketLoop?
        /// Bytes of load handed to the library, in how many turns of the loop, and bytes of load that arrived.
        var sent = 0
        var turns: UInt64 = 0
        var lastTurn: UInt64?
        var arrived = 0
        /// From the ping's arrival at the server until its answer is in a packet.
        var atServer: [Gap] = []
        /// From the call that sends the ping until the answer is there: bytes of load that arrived meanwhile.
        var atClient: [Int] = []
    }

    let state = Locked(State())
    let isOver = Atomic<Bool>(false)
    let isUnderWay = AsyncStream.makeStream(of: Void.self)
}

/// Answers pings, and a request for load with bytes without end.
private final class FairServer: EchoDelegate {
    private let ledger: Ledger
    private let loop: PacketLoop?
    private var pings: [UInt64: Ledger.Gap] = [:]
    private var load: UInt64?

    init(ledger: Ledger) {
        self.ledger = ledger
        self.loop = ledger.state.withLock { $0.loop }
        super.init(witness: Witness(), echoes: false)
    }

    private var turn: UInt64 { self.loop?.counters.turns ?? 0 }

    override func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {
        guard bytes.byteCount > 0 else {
            return
        }
        if unsafe bytes.unsafeLoad(as: UInt8.self) == Request.load {
            self.load = stream
        } else {
            self.pings[stream] = self.ledger.state.withLock { Ledger.Gap(turns: $0.turns, bytes: $0.sent) }
        }
        try? connection.reserve(stream: stream, token: self.makeToken())
        try? connection.markActive(stream: stream)
    }

    override func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        prepareToSend slot: inout QUICStreamSlot
    ) {
        if stream == self.load {
            let isOver = self.ledger.isOver.load(ordering: .relaxed)
            let count = isOver ? 0 : slot.capacity
            let turn = self.turn
            self.ledger.state.withLock { state in
                state.sent += count
                state.turns += state.lastTurn == turn ? 0 : 1
                state.lastTurn = turn
            }
            unsafe slot.provide(count: count, isFinished: isOver, isStillActive: !isOver) { target in
                unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
            }
        } else if let ping = self.pings.removeValue(forKey: stream) {
            self.ledger.state.withLock { state in
                state.atServer.append(Ledger.Gap(turns: state.turns - ping.turns, bytes: state.sent - ping.bytes))
            }
            unsafe slot.provide(count: 1, isFinished: true, isStillActive: false) { target in
                unsafe target.initializeMemory(as: UInt8.self, repeating: Request.ping)
            }
        }
    }
}

/// Takes the load, and forgets it.
private final class LoadClient: EchoDelegate {
    private static let plenty = 2_000_000
    private let ledger: Ledger

    init(ledger: Ledger) {
        self.ledger = ledger
        super.init(witness: Witness(), echoes: false)
    }

    override func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {
        let count = bytes.byteCount
        let arrived = self.ledger.state.withLock { state in
            state.arrived += count
            return state.arrived
        }
        if arrived - count < Self.plenty, arrived >= Self.plenty {
            self.ledger.isUnderWay.continuation.yield()
        }
    }
}

/// Asks from time to time.
private final class IdleClient: EchoDelegate {
    private let ledger: Ledger
    private var asked: [UInt64: Int] = [:]

    init(ledger: Ledger, witness: Witness) {
        self.ledger = ledger
        super.init(witness: witness, echoes: false)
    }

    func ping(on connection: QUICConnection) throws -> UInt64 {
        let stream = try connection.openStream(isUnidirectional: false, token: self.makeToken())
        self.asked[stream] = self.ledger.state.withLock { $0.arrived }
        self.send([Request.ping], isFinished: true, stream: stream, on: connection)
        return stream
    }

    override func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {
        if let asked = self.asked.removeValue(forKey: stream) {
            self.ledger.state.withLock { $0.atClient.append($0.arrived - asked) }
        }
        super.connection(connection, stream: stream, token: token, didReceive: bytes, isFinished: isFinished)
    }
}

@Suite("Sessions that share an endpoint", .tags(.network), .timeLimit(.minutes(2)))
struct FairnessTests {
    private static let idleCount = 100
    private static let rounds = 3
    /// On a quiet machine three rounds may be over before the load has sent enough to be one.
    private static let mostRounds = 100
    private static let load = 200_000

    @Test("A hundred idle sessions are answered within a few turns, while another sends and works without end")
    func idleSessions() async throws {
        let ledger = Ledger()
        let certificate = try SelfSignedCertificate()
        let server = PicoQuicExecutor(
            label: "fair-server",
            configuration: QUICConfiguration(applicationProtocols: ["fair"], credentials: .selfSigned(certificate))
        ) { _ in
            FairServer(ledger: ledger)
        }
        ledger.state.withLock { $0.loop = server.loop }
        let address = try await server.start(on: .loopback(port: 0))
        var configuration = QUICConfiguration(applicationProtocols: ["fair"])
        configuration.verification = .pinned([certificate.fingerprint])
        let client = PicoQuicExecutor(label: "fair-client", configuration: configuration)
        try await client.start()
        var idle: [Link] = []
        for _ in 0..<Self.idleCount {
            let witness = Witness()
            let connection = try await client.connect(to: address.host, port: address.port) { _ in
                IdleClient(ledger: ledger, witness: witness)
            }
            idle.append(Link(connection: connection, witness: witness, loop: client.loop))
        }
        let busy = try await client.connect(to: address.host, port: address.port) { _ in
            LoadClient(ledger: ledger)
        }
        _ = try await Link(connection: busy, witness: Witness(), loop: client.loop).send([Request.load])
        // What a busy session can do to a loop besides sending: work that brings on more work, and timers at once.
        @Sendable func work(_ loop: PacketLoop) {
            if !ledger.isOver.load(ordering: .relaxed) {
                loop.post { work(loop) }
            }
        }
        @Sendable func tick(_ loop: PacketLoop) {
            if !ledger.isOver.load(ordering: .relaxed) {
                loop.schedule(after: .zero) { tick(loop) }
            }
        }
        let loop = server.loop
        loop.post {
            work(loop)
            tick(loop)
        }
        var iterator = ledger.isUnderWay.stream.makeAsyncIterator()
        await iterator.next()
        let before = ledger.state.withLock { $0.sent }
        var rounds = 0
        while rounds < Self.rounds
            || (rounds < Self.mostRounds && ledger.state.withLock { $0.sent } - before <= Self.load)
        {
            rounds += 1
            var asked: [(Link, UInt64)] = []
            for link in idle {
                let stream = try await link.run { connection, delegate in
                    try (delegate as? IdleClient)?.ping(on: connection)
                }
                asked.append((link, try #require(stream)))
            }
            for (link, stream) in asked {
                await link.witness.wait { $0.finished.contains(stream) }
            }
        }
        // Only now does the load end: all were answered beside it.
        ledger.isOver.store(true, ordering: .relaxed)
        let state = ledger.state.withLock { $0 }
        #expect(state.sent - before > Self.load)
        #expect(state.atServer.count == Self.idleCount * rounds)
        #expect(state.atClient.count == Self.idleCount * rounds)
        let turns = state.atServer.map(\.turns).max() ?? .max
        let sent = state.atServer.map(\.bytes).max() ?? .max
        let arrived = state.atClient.max() ?? .max
        // Once it has been read, a ping is answered within a few turns of the load, each of them a batch of packets.
        #expect(turns <= 4)
        #expect(sent <= 200_000)
        // All told, no more of the load comes before the answer than the client's socket holds, which is twice what the
        // system was asked for, and a round of either side. Joined datagrams fill it nearly to the byte.
        #expect(arrived <= 2 * Int(configuration.socketBufferSize) + 1_000_000)
        await client.stop()
        await server.stop()
    }
}
