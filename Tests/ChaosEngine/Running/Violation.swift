// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What must hold in every episode.
package enum Invariant: String, Sendable, CaseIterable {
    case order = "every byte arrives in its place"
    case end = "a stream that ends well is whole"
    case afterEnd = "nothing comes after an end"
    case told = "everybody is told of the end"
    case once = "an end is told once"
    case code = "codes and reasons arrive"
    case accepted = "nothing arrives that was not accepted"
    case datagram = "a datagram is whole, unaltered and single"
    case misuse = "a call that makes no sense throws the right error"
    case counters = "live counts return to zero"
    case destroyed = "what was made is destroyed"
    case waiter = "every waiter resumes"
    case rest = "work comes to an end"
    case spin = "a loop without work sleeps"
    case descriptors = "descriptors are given back"
    case memory = "memory stays bounded"
    case replay = "the same seed gives the same run"
    case process = "the process survives"
    case reset = "whoever a restarted server does not know is told so"
    case restart = "a server that comes back serves"
}

/// An invariant that did not hold, and what was seen.
package struct Violation: Sendable, CustomStringConvertible {
    package var invariant: Invariant
    package var seen: String

    /// One line.
    package var description: String { "\(self.invariant.rawValue): \(self.seen)" }
}
