// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PicoQuic
import WebTransport

/// What is to happen in an episode whose server is another process, which ends and comes back.
struct ProcessPlan: Sendable {
    /// How the server's process ends.
    enum Ending: Sendable {
        /// It stops in order and tells everybody, perhaps after everything that is under way has arrived.
        case stop(code: UInt64, settles: Bool)
        /// It is killed.
        case kill
        /// It finds that its parent is gone, and goes as well, without a word to anybody.
        case abandon

        /// Whether clients are told nothing.
        var isSilent: Bool {
            switch self {
            case .stop: false
            case .kill, .abandon: true
            }
        }
    }

    /// One attempt to connect, and what its session then does.
    struct Connect: Sendable {
        /// Milliseconds after the process began to listen.
        var time: Int
        var client: Int
        var timeout: Int
        /// After how many milliseconds the attempt is called off.
        var cancellation: Int?
        var script: PeerScript
    }

    /// What the server's process is told to do.
    enum Event: Sendable {
        /// To close all its sessions.
        case close(code: UInt64)
        /// To do nothing at all for a while.
        case freeze(milliseconds: Int)
    }

    /// One process of the server, from its start to its end.
    struct Life: Sendable {
        /// Whether it has the secrets of the process before it.
        var keepsSecrets: Bool
        /// How many milliseconds nobody listens before it starts.
        var pause: Int
        /// How many loops it has at its port, if its kind of loop can share one, and whether the kernel is told which packet
        /// is for which.
        var loops: Int
        var asksKernel: Bool
        /// What the session does that is there from the beginning.
        var probe: PeerScript
        var connects: [Connect]
        var serverScripts: [PeerScript]
        /// By the time after the process began to listen, in milliseconds.
        var events: [(time: Int, event: Event)]
        /// It ends when so much was done by the clients, or after so many milliseconds if that takes longer.
        var progress: Int
        var duration: Int
        var ending: Ending
    }

    var serverBounds: WebTransportConfiguration
    var clientBounds: [WebTransportConfiguration]
    var retry: QUICConfiguration.RetryPolicy
    var congestionControl: String
    var keepAlive: Int?
    /// In milliseconds.
    var idleTimeout: Int
    var lives: [Life]
    var farewell: UInt64

    /// Draws a plan; the same for the same seed.
    init(seed: UInt64) {
        var random = ChaosRandom(seed: seed, 0x7072_6f63)
        let server = SessionKnobs.draw(from: &random)
        let clients = (0..<random.within(1...3)).map { _ in SessionKnobs.draw(from: &random) }
        self.serverBounds = server
        self.clientBounds = clients
        self.retry = random.pick([.whenLoaded, .whenLoadedWithTokens, .always])
        self.congestionControl = random.pick(["cubic", "cubic", "newreno", "bbr"])
        self.keepAlive = random.chance(perMille: 500) ? random.pick([100, 500]) : nil
        let limit = min(SessionKnobs.streamLimit(towards: server), 150_000)
        let back = min(clients.map(SessionKnobs.streamLimit).min() ?? limit, 150_000)
        let number = random.within(1...3)
        let lives = (0..<number).map { index in
            let isLast = index == number - 1
            return Life(
                from: &random,
                clients: clients.count,
                limits: (limit, back),
                silentPerMille: isLast ? 150 : 750
            )
        }
        self.lives = lives
        // Who is left without an answer has to wait, which must not take long; nobody else must have to.
        let leaves = lives.indices.contains { index in
            lives[index].ending.isSilent && (index + 1 == number || !lives[index + 1].keepsSecrets)
        }
        self.idleTimeout = leaves ? random.within(1_500...2_500) : 30_000
        self.farewell = random.next() >> 2
    }

    /// How the sessions may end that a process of the server had, if neither side closes them before.
    func ends(of life: Int) -> Set<WebTransportCloseInfo.Origin> {
        guard self.lives.indices.contains(life), self.lives[life].ending.isSilent else { return [.peer] }
        return self.isAnswered(life) ? [.transport(.statelessReset)] : [.transport(.idleTimeout)]
    }

    /// Whether those that a process left without a word are told by the next one that it does not know them.
    func isAnswered(_ life: Int) -> Bool {
        self.lives.indices.contains(life + 1) && self.lives[life + 1].keepsSecrets
    }

    /// Whether sessions may end by a silence that is only the machine's.
    var isImpatient: Bool { self.idleTimeout < 10_000 }

    /// The secrets of one of the server's processes.
    func secrets(of life: Int) -> (resetSeed: [UInt8], ticketKey: [UInt8]) {
        let epoch = self.lives.prefix(life + 1).dropFirst().count { !$0.keepsSecrets }
        return (
            [UInt8](repeating: 0x50 + UInt8(clamping: epoch), count: QUICSecrets.resetSeedLength),
            [UInt8](repeating: 0x10 + UInt8(clamping: epoch), count: QUICSecrets.ticketKeyLength)
        )
    }
}

extension ProcessPlan.Life {
    /// Draws one. `limits` are the most bytes of a stream to the server and back.
    init(
        from random: inout ChaosRandom,
        clients: Int,
        limits: (towards: Int, back: Int),
        silentPerMille: Int
    ) {
        let duration = random.within(40...500)
        self.keepsSecrets = !random.chance(perMille: 150)
        self.pause = random.chance(perMille: 500) ? 0 : random.below(200)
        self.loops = random.within(1...3)
        self.asksKernel = random.chance(perMille: 500)
        self.duration = duration
        self.progress = random.size(upTo: 2_000)
        self.probe = PeerScript(from: &random, duration: duration, streamLimit: limits.towards, closesPerMille: 50)
        self.connects = (0..<random.within(0...5)).map { _ in
            ProcessPlan.Connect(
                time: random.chance(perMille: 500) ? 0 : random.below(duration),
                client: random.below(clients),
                timeout: random.pick([400, 2_000, 4_000]),
                cancellation: random.chance(perMille: 120) ? random.below(60) : nil,
                script: PeerScript(from: &random, duration: duration, streamLimit: limits.towards, closesPerMille: 100)
            )
        }
        self.serverScripts = (0..<3).map { _ in
            PeerScript(from: &random, duration: duration, streamLimit: limits.back, closesPerMille: 100)
        }
        self.events = (0..<random.below(3)).map { _ in
            let event: ProcessPlan.Event =
                random.chance(perMille: 300)
                ? .close(code: random.next() >> 2) : .freeze(milliseconds: random.within(1...150))
            return (random.below(duration), event)
        }
        if random.chance(perMille: silentPerMille) {
            self.ending = random.chance(perMille: 750) ? .kill : .abandon
        } else {
            self.ending = .stop(code: random.next() >> 2, settles: random.chance(perMille: 600))
        }
    }
}
