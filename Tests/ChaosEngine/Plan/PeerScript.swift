// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What one side of a session does of its own accord, and when.
struct PeerScript: Sendable {
    /// One thing to do. Where it needs a stream, `pick` chooses among those that are there then.
    enum Action: Sendable {
        case openUnidirectional(StreamShape)
        case openBidirectional(StreamShape)
        case write(pick: Int, count: Int)
        case finish(pick: Int)
        case reset(pick: Int)
        case stop(pick: Int)
        case pause(pick: Int, milliseconds: Int)
        case setPriority(pick: Int, UInt8)
        case datagram(count: Int)
        case datagrams(number: Int, count: Int)
        case oversizeDatagram(excess: Int)
        case emptyDatagram
        case writeAfterFinish(pick: Int)
        /// To write when there is room.
        case awaitRoom(pick: Int, Patience)
        /// To open a stream when the peer allows one.
        case awaitCredit(isUnidirectional: Bool, StreamShape, Patience)
        /// To open no more streams, and wait until none is left.
        case drain(Patience)
        case close(code: UInt64)
    }

    /// After how many milliseconds a task that waits is cancelled; nil for never.
    typealias Patience = Int?

    /// An action and its time in microseconds after the session began.
    struct Step: Sendable {
        var time: Int
        var action: Action
    }

    /// How long after the session was made its handler is set, in milliseconds; 0 for at once.
    var handlerDelay: Int
    var steps: [Step]
    /// How many bytes a stream may carry, and how many streams may be opened from inside callbacks.
    var streamLimit: Int
    var reactionLimit: Int

    /// Draws a script for a session that is to live `duration` milliseconds.
    init(from random: inout ChaosRandom, duration: Int, streamLimit: Int, closesPerMille: Int) {
        self.handlerDelay = random.chance(perMille: 150) ? random.within(1...30) : 0
        self.streamLimit = streamLimit
        self.reactionLimit = random.below(20)
        let count = random.within(0...(20 + duration / 10))
        var steps: [Step] = []
        for _ in 0..<count {
            let time = random.below(duration * 1_000)
            steps.append(Step(time: time, action: Self.action(from: &random, streamLimit: streamLimit)))
        }
        if random.chance(perMille: closesPerMille) {
            let code = random.chance(perMille: 100) ? 0 : random.next() >> 2
            steps.append(Step(time: random.below(duration * 1_000), action: .close(code: code)))
        }
        self.steps = steps.enumerated().sorted { left, right in
            (left.element.time, left.offset) < (right.element.time, right.offset)
        }.map(\.element)
    }

    private static func action(from random: inout ChaosRandom, streamLimit: Int) -> Action {
        let pick = random.below(1 << 20)
        let patience = random.chance(perMille: 400) ? random.below(30) : nil
        switch random.below(112) {
        case ..<24: return .openUnidirectional(StreamShape(from: &random, limit: streamLimit))
        case ..<40: return .openBidirectional(StreamShape(from: &random, limit: streamLimit))
        case ..<54: return .write(pick: pick, count: random.size(upTo: 30_000))
        case ..<60: return .finish(pick: pick)
        case ..<65: return .reset(pick: pick)
        case ..<70: return .stop(pick: pick)
        case ..<76: return .pause(pick: pick, milliseconds: random.within(1...40))
        case ..<82: return .setPriority(pick: pick, UInt8(truncatingIfNeeded: random.next()))
        case ..<90: return .datagram(count: random.size(upTo: 1_000))
        case ..<93: return .datagrams(number: random.size(upTo: 300), count: random.size(upTo: 1_000))
        case ..<95: return .oversizeDatagram(excess: random.size(upTo: 100_000))
        case ..<96: return .emptyDatagram
        case ..<100: return .writeAfterFinish(pick: pick)
        case ..<106: return .awaitRoom(pick: pick, patience)
        case ..<111:
            return .awaitCredit(
                isUnidirectional: random.chance(perMille: 500),
                StreamShape(from: &random, limit: streamLimit),
                patience
            )
        default: return random.chance(perMille: 300) ? .drain(patience) : .writeAfterFinish(pick: pick)
        }
    }
}
