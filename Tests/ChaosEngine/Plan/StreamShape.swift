// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What one side does with a stream that it sends on.
struct StreamShape: Sendable, Hashable {
    /// How the stream ends, once everything was written.
    enum Ending: Sendable, Hashable {
        case finish
        case reset
        /// Not before the session does, or somebody else ends it.
        case none
    }

    var priority: UInt8
    /// How many bytes are written at once.
    var first: Int
    /// How many bytes are written altogether, as the queue drains.
    var total: Int
    /// How many of them at a time.
    var chunk: Int
    var ending: Ending
    /// Whether nobody but the session holds the stream.
    var isUnheld: Bool

    /// Draws a shape; no stream carries more than `limit` bytes.
    init(from random: inout ChaosRandom, limit: Int) {
        self.priority = UInt8(truncatingIfNeeded: random.pick([1, 3, 8, 9, 9, 10, 64, 200, 255]))
        self.first = random.chance(perMille: 80) ? 0 : random.size(upTo: min(limit, 20_000))
        self.total = random.chance(perMille: 500) ? self.first : random.size(upTo: limit)
        self.chunk = random.size(upTo: 16_000)
        // A long stream in very small pieces takes no new path, only time.
        self.chunk = max(self.chunk, self.total / 200)
        let roll = random.below(100)
        self.ending = roll < 70 ? .finish : roll < 85 ? .reset : .none
        self.isUnheld = random.chance(perMille: 250)
    }
}

/// How the reader of one stream behaves.
struct ReaderTemper: Sendable, Hashable {
    /// What it does once, inside the delivery in which so many bytes have come.
    enum Reaction: Sendable, Hashable {
        case none
        case stop
        case closeSession
        case openStream
        case sendDatagram
        case pause
        case dropReader
        case resetReply
        case openMany
    }

    /// How many of a thousand deliveries are consumed in part only.
    var partial: Int
    /// How long it takes until the rest is asked for.
    var delay: Int
    var reaction: Reaction
    var reactionOffset: Int
    /// How long after the stream was announced the reader is installed; 0 for at once.
    var lateness: Int
    /// Whether a task reads instead of a reader.
    var isTask: Bool
    /// After how many milliseconds that task is cancelled, and another one takes its place.
    var patience: Int?

    /// Draws a temper.
    init(from random: inout ChaosRandom) {
        self.partial = random.chance(perMille: 600) ? 0 : random.below(900)
        self.delay = random.within(0...12)
        let roll = random.below(1_000)
        switch roll {
        case ..<80: self.reaction = .stop
        case ..<84: self.reaction = .closeSession
        case ..<160: self.reaction = .openStream
        case ..<220: self.reaction = .sendDatagram
        case ..<320: self.reaction = .pause
        case ..<370: self.reaction = .dropReader
        case ..<420: self.reaction = .resetReply
        case ..<430: self.reaction = .openMany
        default: self.reaction = .none
        }
        self.reactionOffset = random.size(upTo: 30_000)
        self.lateness = random.chance(perMille: 120) ? random.within(1...15) : 0
        self.isTask = random.chance(perMille: 200)
        self.patience = random.chance(perMille: 300) ? random.within(1...20) : nil
    }
}
