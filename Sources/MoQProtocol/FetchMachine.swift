// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// One FETCH, seen from the side that asked (draft-18 §5.2, "Fetch State Management").
///
/// ```
///   requested { stream: awaited, held, lost } ── FETCH_OK ──► answered ── stream ──► receiving ── FIN, reset ──► ended
///      └── REQUEST_ERROR, cancel ──────────────────┴──────────── cancel ──────────────┴─────────────────────────► ended
/// ```
///
/// The answer and the stream come in any order; what comes on the stream is held back until the answer is there.
public struct FetchMachine: ~Copyable {
    /// What is known of the stream before the answer.
    public enum EarlyStream: Hashable, Sendable {
        /// It has not come.
        case awaited
        /// It is there and held back.
        case held
        /// It came and was reset.
        case lost(StreamResetCode)
    }

    /// Where the fetch is.
    public enum State: Hashable, Sendable {
        /// Not answered.
        case requested(EarlyStream)
        /// FETCH_OK was seen, the stream was not.
        case answered
        /// FETCH_OK was seen and the stream is being read.
        case receiving
        /// Over.
        case ended
    }

    /// What to do when FETCH_OK arrived.
    public enum OkAction: Hashable, Sendable {
        /// Wait for the stream.
        case awaitStream
        /// Read the stream that was held back.
        case readStream
        /// The stream was reset before: the fetch has ended.
        case end(StreamResetCode)
        /// Nobody cares any more.
        case nothing
    }

    /// What to do with a stream of the fetch.
    public enum StreamAction: Hashable, Sendable {
        /// Hold it back until the answer is there.
        case hold
        /// Read it.
        case read
        /// Stop it: it is the second one, or the fetch is over.
        case stop
    }

    /// Where the fetch is.
    public private(set) var state: State = .requested(.awaited)

    /// Makes a machine for a fetch that was just asked for.
    public init() {}

    /// Whether the answer is missing.
    public var isRequested: Bool {
        if case .requested = self.state {
            return true
        }
        return false
    }

    /// FETCH_OK arrived. `start` is where the range that was asked for begins, nil when this side does not know it.
    ///
    /// - Throws: PROTOCOL_VIOLATION when the fetch was answered before, and when the answer ends before the range begins.
    public mutating func receivedOk(_ end: FetchEnd, start: Location?) throws(ProtocolViolation) -> OkAction {
        guard self.state != .ended else {
            return .nothing
        }
        guard case .requested(let stream) = self.state else {
            throw .protocolViolation("second answer to a FETCH")
        }
        if let start, !FetchRange.isAnswer(end, to: start) {
            throw .protocolViolation("FETCH_OK ends before the range that was asked for begins")
        }
        switch stream {
        case .awaited:
            self.state = .answered
            return .awaitStream
        case .held:
            self.state = .receiving
            return .readStream
        case .lost(let code):
            self.state = .ended
            return .end(code)
        }
    }

    /// REQUEST_ERROR arrived. Returns whether anybody still cares.
    ///
    /// - Throws: PROTOCOL_VIOLATION when the fetch was answered before.
    public mutating func receivedError() throws(ProtocolViolation) -> Bool {
        guard self.state != .ended else {
            return false
        }
        guard self.isRequested else {
            throw .protocolViolation("second answer to a FETCH")
        }
        self.state = .ended
        return true
    }

    /// A stream of the fetch was recognised.
    public mutating func streamOpened() -> StreamAction {
        switch self.state {
        case .requested(.awaited):
            self.state = .requested(.held)
            return .hold
        case .answered:
            self.state = .receiving
            return .read
        case .requested, .receiving, .ended:
            return .stop
        }
    }

    /// The stream was reset. Returns whether that ends the fetch; before the answer it does not, since the answer says more.
    public mutating func streamReset(_ code: StreamResetCode) -> Bool {
        switch self.state {
        case .requested:
            self.state = .requested(.lost(code))
            return false
        case .answered, .receiving:
            self.state = .ended
            return true
        case .ended:
            return false
        }
    }

    /// Everything was received, either side gave up, or the session closed. Returns in which state that was.
    public mutating func ended() -> State {
        let state = self.state
        self.state = .ended
        return state
    }
}
