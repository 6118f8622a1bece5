// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// One FETCH, seen from the side that answers (draft-18 §5.2, "Fetch State Management").
///
/// ```
///   requested ── accept() ──► serving ── finish() ──► finishing ── delivered ──► ended
///      └── reject(), cancel ─────┴── reset(), cancel ──────┴─────────────────────► ended
/// ```
public struct FetchResponseMachine: ~Copyable {
    /// Where the fetch is.
    public enum State: Hashable, Sendable {
        /// Not answered.
        case requested
        /// FETCH_OK went out; the stream takes objects.
        case serving
        /// The stream is complete and not delivered.
        case finishing
        /// Over.
        case ended
    }

    /// Where the fetch is.
    public private(set) var state: State = .requested

    /// Makes a machine for a fetch that just arrived.
    public init() {}

    /// We accept the request. Returns whether there is still something to accept.
    public mutating func accept() -> Bool {
        guard self.state == .requested else {
            return false
        }
        self.state = .serving
        return true
    }

    /// We refuse the request. Returns whether there is still something to refuse.
    public mutating func reject() -> Bool {
        guard self.state == .requested else {
            return false
        }
        self.state = .ended
        return true
    }

    /// Every object was written. Returns whether the stream is to be finished.
    public mutating func finish() -> Bool {
        guard self.state == .serving else {
            return false
        }
        self.state = .finishing
        return true
    }

    /// Everything is delivered, either side gave up, or the session closed. Returns in which state that was.
    public mutating func ended() -> State {
        let state = self.state
        self.state = .ended
        return state
    }
}
