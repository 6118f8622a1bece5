// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A defect that is put in on purpose, so that it can be seen that the checks notice it.
package enum Sabotage: String, Sendable, CaseIterable {
    /// A reader is not given one byte.
    case dropByte
    /// A reader is given a delivery twice.
    case repeatDelivery
    /// A reader is given the end in the middle of a stream.
    case cutStream
    /// A reader is told something after the end.
    case speakAfterEnd
    /// A reader is not told that its session ended.
    case loseReaderEnd
    /// A writer is told twice that its stream is complete.
    case completeTwice
    /// A handler is told twice that its session ended.
    case closeTwice
    /// A handler is never told.
    case loseClose
    /// The wrong code of a close is reported.
    case alterCloseCode
    /// One bit of a datagram is turned over.
    case alterDatagram
    /// A datagram is delivered twice.
    case repeatDatagram
    /// A session is never released.
    case leakSession
    /// A stream is never released.
    case leakStream
    /// A timer stays armed after everything is over.
    case leakTimer
    /// A descriptor is not closed.
    case leakDescriptor
    /// A task that waits is never resumed.
    case loseWaiter
    /// A paused stream is never resumed.
    case stall
    /// A loop keeps itself busy.
    case spin
    /// The run depends on something else than the seed.
    case forgetSeed
    /// A server comes back with other secrets than it had.
    case forgetSecrets
    /// The loops of a server lose what they have to hand to each other.
    case loseForwarded
    /// A process does not do what it is told.
    case hang

    /// Where it finds its occasion.
    package var kind: EpisodeKind {
        switch self {
        case .forgetSecrets, .loseForwarded, .hang: .process
        default: .memory
        }
    }

    /// What the checks have to say about it.
    package var expected: Set<Invariant> {
        switch self {
        case .dropByte, .repeatDelivery: [.order, .end]
        case .cutStream: [.end]
        case .speakAfterEnd: [.afterEnd]
        case .loseReaderEnd: [.told]
        case .completeTwice, .closeTwice: [.once, .afterEnd]
        case .loseClose: [.told]
        case .alterCloseCode: [.code]
        case .alterDatagram, .repeatDatagram: [.datagram]
        case .leakSession, .leakStream: [.destroyed]
        case .leakTimer: [.counters, .rest]
        case .leakDescriptor: [.descriptors]
        case .loseWaiter: [.waiter]
        case .stall: [.rest]
        case .spin: [.spin, .rest]
        case .forgetSeed: [.replay]
        case .forgetSecrets: [.reset, .told]
        case .loseForwarded: [.restart, .told, .reset]
        case .hang: [.process]
        }
    }
}
