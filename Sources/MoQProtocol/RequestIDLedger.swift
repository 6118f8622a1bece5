// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Checks the ids of the peer's requests, and how many it may make (draft-18 §10.1, draft-16 §9.1 and §9.5).
///
/// Ids must have the peer's parity, be used once and stay below the limit. They need not come in order where a request
/// with a stream of its own can overtake others. Ids that were skipped are remembered up to a bound; beyond it the lowest gaps
/// count as used.
public struct RequestIDLedger: ~Copyable {
    /// How many ids ahead of a gap are remembered.
    public static let maximumRemembered = 4_096

    private let parity: UInt64
    private let window: UInt64?
    private let isOrdered: Bool
    /// Every id of the peer's parity below this one was used.
    private var floor: UInt64
    private var ahead: Set<UInt64> = []
    private var limit: UInt64
    private var ended: UInt64 = 0
    /// Whether the last id there can be was used: no further one is accepted, rather than the first ones again.
    private var isExhausted = false

    /// Makes a ledger for the requests of `peer`.
    ///
    /// `window` is how many requests the peer may have open at a time; nil where the draft has no such limit. `isOrdered`
    /// says that each id must be the next one, since requests cannot overtake each other.
    public init(peer: Role, window: Int?, isOrdered: Bool = false) {
        self.isOrdered = isOrdered
        self.parity = peer == .client ? 0 : 1
        self.floor = self.parity
        let window = window.map { UInt64(clamping: max(1, min($0, 1 << 30))) }
        self.window = window
        self.limit = window.map { $0 * 2 } ?? .max
    }

    /// The value for the MAX_REQUEST_ID setup option, or nil where there is none.
    public var initialLimit: RequestID? {
        self.window.map { RequestID($0 * 2) }
    }

    /// The peer made a request with this id.
    ///
    /// - Throws: INVALID_REQUEST_ID for a wrong parity, an id that was used, or one out of turn; TOO_MANY_REQUESTS beyond the limit.
    public mutating func receivedRequest(_ id: RequestID) throws(ProtocolViolation) {
        let value = id.rawValue
        guard value & 1 == self.parity else {
            throw ProtocolViolation(.invalidRequestID, "request id \(id) has the wrong parity for its sender")
        }
        guard self.window == nil || value < self.limit else {
            throw ProtocolViolation(.tooManyRequests, "request id \(id) is not below the limit of \(self.limit)")
        }
        guard !self.isExhausted, value >= self.floor, !self.ahead.contains(value) else {
            throw ProtocolViolation(.invalidRequestID, "request id \(id) was used before")
        }
        guard !self.isOrdered || value == self.floor else {
            throw ProtocolViolation(.invalidRequestID, "request id \(id) comes before \(self.floor)")
        }
        if value == self.floor {
            self.advance()
        } else {
            self.ahead.insert(value)
            if self.ahead.count > Self.maximumRemembered, let lowest = self.ahead.min() {
                self.floor = lowest
                self.ahead.remove(lowest)
                self.advance()
            }
        }
    }

    /// Whether the peer has used this id.
    public func hasSeen(_ id: RequestID) -> Bool {
        guard id.rawValue & 1 == self.parity else {
            return false
        }
        return self.isExhausted || id.rawValue < self.floor || self.ahead.contains(id.rawValue)
    }

    /// The smallest id of the peer that it has not used: what GOAWAY names (draft-18 §10.4).
    public var nextUnused: RequestID {
        guard let highest = self.ahead.max() else {
            return RequestID(self.floor)
        }
        let (next, overflow) = highest.addingReportingOverflow(2)
        return RequestID(overflow ? highest : next)
    }

    /// A request of the peer is over. Returns the limit to announce with MAX_REQUEST_ID, if it is time for that.
    ///
    /// The limit is raised in steps of a quarter of the window, so that not every request costs a message.
    public mutating func requestEnded() -> RequestID? {
        guard let window = self.window else {
            return nil
        }
        self.ended &+= 1
        let target = (window &+ self.ended) &* 2
        guard target &- self.limit >= max(2, window / 4 * 2) else {
            return nil
        }
        self.limit = target
        return RequestID(target)
    }

    private mutating func advance() {
        repeat {
            let (next, overflow) = self.floor.addingReportingOverflow(2)
            guard !overflow else {
                self.isExhausted = true
                return
            }
            self.floor = next
        } while self.ahead.remove(self.floor) != nil
    }
}
