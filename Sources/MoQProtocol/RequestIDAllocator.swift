// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Gives out the ids of our own requests and respects the peer's limit (draft-18 §10.1, draft-16 §9.1 and §9.5).
///
/// ```
///            raise(to:)                   allocate() at the limit
///   open ◄───────────────── blocked ◄──────────────────────────── open
/// ```
public struct RequestIDAllocator: ~Copyable {
    /// What came of asking for an id.
    public enum Allocation: Hashable, Sendable {
        /// The request may use this id.
        case allocated(RequestID)
        /// The peer allows no further request. When `announce` has a value, REQUESTS_BLOCKED with it is due, once.
        case blocked(announce: RequestID?)
    }

    private var next: UInt64
    private var limit: UInt64?
    private var announced: UInt64?

    /// Makes an allocator for our side of the session.
    ///
    /// `limit` is the first id that the peer does not allow; nil where the draft has no such limit.
    public init(role: Role, limit: RequestID?) {
        self.next = role == .client ? 0 : 1
        self.limit = limit?.rawValue
        self.announced = nil
    }

    /// Takes the next id.
    public mutating func allocate() -> Allocation {
        guard let limit = self.limit, self.next >= limit else {
            let id = RequestID(self.next)
            self.next &+= 2
            return .allocated(id)
        }
        guard self.announced != limit else {
            return .blocked(announce: nil)
        }
        self.announced = limit
        return .blocked(announce: RequestID(limit))
    }

    /// The id that the next request will have, once it is allowed.
    public var nextID: RequestID {
        RequestID(self.next)
    }

    /// Whether an id can be had now.
    public var canAllocate: Bool {
        guard let limit = self.limit else {
            return true
        }
        return self.next < limit
    }

    /// Whether this id was given out by us.
    public func hasIssued(_ id: RequestID) -> Bool {
        id.rawValue & 1 == self.next & 1 && id.rawValue < self.next
    }

    /// MAX_REQUEST_ID arrived.
    ///
    /// - Throws: PROTOCOL_VIOLATION when it does not raise the limit, or when the draft has no limit.
    public mutating func raise(to limit: RequestID) throws(ProtocolViolation) {
        guard let current = self.limit else {
            throw .protocolViolation("MAX_REQUEST_ID in a draft without a request limit")
        }
        guard limit.rawValue > current else {
            throw .protocolViolation("MAX_REQUEST_ID \(limit) does not raise the limit of \(current)")
        }
        self.limit = limit.rawValue
    }

    /// The limit that the peer's SETUP declares.
    public mutating func setInitialLimit(_ limit: RequestID?) {
        self.limit = limit?.rawValue
    }
}
