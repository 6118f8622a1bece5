// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The tokens that this side has registered with its peer, so that each is sent once and referred to by its alias from then
/// on (draft-18 §10.2.2, "AUTHORIZATION TOKEN Parameter").
///
/// What the peer has no room for is sent by value every time. So is a token that was registered on another stream, as long
/// as the request that registered it is not answered: the peer may read that stream later.
public struct TokenRegistry: Sendable {
    /// The most bytes of tokens that are registered, however much room the peer offers.
    public static let maximumSize: UInt64 = 65_536

    private struct Entry {
        var alias: UInt64
        /// Whether it was registered on the control stream, whose messages are read in order.
        var isOnControlStream: Bool
        /// Whether the peer is known to have it.
        var isConfirmed: Bool
    }

    /// How many bytes the tokens that are registered count.
    public private(set) var size: UInt64 = 0

    private var limit: UInt64 = 0
    private var nextAlias: UInt64 = 0
    private var entries: [AuthorizationCredential: Entry] = [:]
    /// Tokens of our SETUP that no answer shows the peer to have.
    private var unconfirmed: [AuthorizationCredential] = []
    /// Tokens that requests without an answer have registered.
    private var registeredBy: [RequestID: [AuthorizationCredential]] = [:]

    /// Makes the registry of a peer whose SETUP has not arrived: everything is sent by value.
    public init() {}

    /// How many tokens are registered.
    public var count: Int {
        self.entries.count
    }

    /// The peer's SETUP arrived.
    ///
    /// - Parameters:
    ///   - limit: the peer's MAX_AUTH_TOKEN_CACHE_SIZE.
    ///   - tokens: those of our own SETUP. What of them was registered beyond the limit was not.
    ///   - isOnControlStream: whether our SETUP went out on the stream that requests go out on.
    public mutating func setUp(limit: UInt64, registered tokens: [AuthorizationToken], isOnControlStream: Bool) {
        self.limit = min(limit, Self.maximumSize)
        var left = limit
        for case .register(let alias, let type, let value) in tokens {
            // An alias that did not find room is free again, but nobody needs it.
            self.nextAlias = max(self.nextAlias, alias == .max ? alias : alias + 1)
            let credential = AuthorizationCredential(type: type, value: value)
            guard credential.cacheCost <= left else {
                continue
            }
            left -= credential.cacheCost
            self.size += credential.cacheCost
            guard self.entries[credential] == nil else {
                continue
            }
            self.entries[credential] = Entry(alias: alias, isOnControlStream: isOnControlStream, isConfirmed: false)
            self.unconfirmed.append(credential)
        }
    }

    /// How to send these in a request with this id: by alias, with a registration, or by value. They count as sent.
    public mutating func references(
        to credentials: [AuthorizationCredential],
        in request: RequestID,
        onControlStream isOnControlStream: Bool
    ) -> [AuthorizationToken] {
        var tokens: [AuthorizationToken] = []
        for credential in credentials {
            if let entry = self.entries[credential] {
                let isKnown = entry.isConfirmed || (entry.isOnControlStream && isOnControlStream)
                tokens.append(isKnown ? .useAlias(entry.alias) : AuthorizationToken(credential))
                continue
            }
            let (size, overflow) = self.size.addingReportingOverflow(credential.cacheCost)
            // The alias after the last one could not be counted.
            guard !overflow, size <= self.limit, self.nextAlias < .max else {
                tokens.append(AuthorizationToken(credential))
                continue
            }
            self.size = size
            self.entries[credential] = Entry(
                alias: self.nextAlias,
                isOnControlStream: isOnControlStream,
                isConfirmed: false
            )
            self.registeredBy[request, default: []].append(credential)
            tokens.append(.register(alias: self.nextAlias, type: credential.type, value: credential.value))
            self.nextAlias += 1
        }
        return tokens
    }

    /// The peer answered a request, well or ill: it has what the request, and our SETUP before it, registered.
    public mutating func answered(_ request: RequestID) {
        if !self.unconfirmed.isEmpty {
            self.confirm(self.unconfirmed)
            self.unconfirmed = []
        }
        if !self.registeredBy.isEmpty, let credentials = self.registeredBy.removeValue(forKey: request) {
            self.confirm(credentials)
        }
    }

    /// A request is over. If it had no answer, nobody will ever know whether the peer has what it registered, and that is
    /// sent by value for the rest of the session.
    public mutating func ended(_ request: RequestID) {
        if !self.registeredBy.isEmpty {
            self.registeredBy[request] = nil
        }
    }

    private mutating func confirm(_ credentials: [AuthorizationCredential]) {
        for credential in credentials {
            self.entries[credential]?.isConfirmed = true
        }
    }
}
