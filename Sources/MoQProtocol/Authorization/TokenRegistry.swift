// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The tokens that this side has registered with its peer, so that each is sent once and referred to by its alias from then
/// on (draft-18 §10.2.2, "AUTHORIZATION TOKEN Parameter").
///
/// Where there is no room for a token, those are deleted that were not used for the longest time, as far as every request that
/// referred to them is answered: others may be read later than the deletion. What the peer has no room for even so is sent by
/// value every time. So is a token that was registered on another stream, as long as the request that registered it is not
/// answered: the peer may read that stream later.
public struct TokenRegistry: Sendable {
    /// The most bytes of tokens that are registered, however much room the peer offers.
    public static let maximumSize: UInt64 = 65_536

    private struct Entry {
        var alias: UInt64
        /// Whether it was registered on the control stream, whose messages are read in order.
        var isOnControlStream: Bool
        /// Whether the peer is known to have it.
        var isConfirmed: Bool
        /// How many requests that refer to it are not answered.
        var uses = 0
        /// When it was used last, counted in requests.
        var lastUse: UInt64 = 0
    }

    /// How many bytes the tokens count at most that the peer has registered at any time, whatever it has read.
    public private(set) var size: UInt64 = 0

    private var limit: UInt64 = 0
    private var nextAlias: UInt64 = 0
    private var entries: [AuthorizationCredential: Entry] = [:]
    /// Tokens of our SETUP that no answer shows the peer to have.
    private var unconfirmed: [AuthorizationCredential] = []
    /// Tokens that requests without an answer have registered.
    private var registeredBy: [RequestID: [AuthorizationCredential]] = [:]
    /// Tokens that requests without an answer refer to.
    private var usedBy: [RequestID: [AuthorizationCredential]] = [:]
    /// How much there will be room for when requests are answered that delete tokens.
    private var freedBy: [RequestID: UInt64] = [:]
    private var clock: UInt64 = 0

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

    /// How to send these in a request with this id: by alias, with a registration, or by value, and which to delete for that.
    /// They count as sent.
    public mutating func references(
        to credentials: [AuthorizationCredential],
        in request: RequestID,
        onControlStream isOnControlStream: Bool
    ) -> [AuthorizationToken] {
        var tokens: [AuthorizationToken] = []
        self.clock &+= 1
        for credential in credentials {
            self.entries[credential]?.lastUse = self.clock
        }
        for credential in credentials {
            if let entry = self.entries[credential] {
                let isKnown = entry.isConfirmed || (entry.isOnControlStream && isOnControlStream)
                tokens.append(isKnown ? .useAlias(entry.alias) : AuthorizationToken(credential))
                if isKnown {
                    self.entries[credential]?.uses += 1
                    self.usedBy[request, default: []].append(credential)
                }
                continue
            }
            // The alias after the last one could not be counted.
            guard self.nextAlias < .max, let deletions = self.makeRoom(for: credential.cacheCost, in: request) else {
                tokens.append(AuthorizationToken(credential))
                continue
            }
            tokens += deletions
            self.entries[credential] = Entry(
                alias: self.nextAlias,
                isOnControlStream: isOnControlStream,
                isConfirmed: false,
                lastUse: self.clock
            )
            self.registeredBy[request, default: []].append(credential)
            tokens.append(.register(alias: self.nextAlias, type: credential.type, value: credential.value))
            self.nextAlias += 1
        }
        return tokens
    }

    /// Makes room for a token of this size, with the deletions that are needed; nil when there is none.
    private mutating func makeRoom(for cost: UInt64, in request: RequestID) -> [AuthorizationToken]? {
        guard cost <= self.limit else {
            return nil
        }
        if self.size <= self.limit - cost {
            self.size += cost
            return []
        }
        var missing = self.size - (self.limit - cost)
        var freed: UInt64 = 0
        var victims: [AuthorizationCredential] = []
        let candidates = self.entries.filter {
            $0.value.isConfirmed && $0.value.uses == 0 && $0.value.lastUse < self.clock
        }
        for (credential, _) in candidates.sorted(by: { $0.value.lastUse < $1.value.lastUse }) where missing > 0 {
            victims.append(credential)
            freed += credential.cacheCost
            missing -= min(missing, credential.cacheCost)
        }
        guard missing == 0 else {
            return nil
        }
        // A request that is read before this one finds the old tokens, one after it the new one.
        if cost > freed {
            self.size += cost - freed
        } else {
            self.freedBy[request, default: 0] += freed - cost
        }
        var deletions: [AuthorizationToken] = []
        for victim in victims {
            if let entry = self.entries.removeValue(forKey: victim) {
                deletions.append(.delete(alias: entry.alias))
            }
        }
        return deletions
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
        if !self.usedBy.isEmpty, let credentials = self.usedBy.removeValue(forKey: request) {
            for credential in credentials {
                self.entries[credential]?.uses -= 1
            }
        }
        if !self.freedBy.isEmpty, let freed = self.freedBy.removeValue(forKey: request) {
            self.size -= freed
        }
    }

    /// A request is over. If it had no answer, nobody will ever know whether the peer has what it registered, and that is
    /// sent by value for the rest of the session. What it referred to is never deleted, and what it deleted counts on.
    public mutating func ended(_ request: RequestID) {
        if !self.registeredBy.isEmpty {
            self.registeredBy[request] = nil
        }
        if !self.usedBy.isEmpty {
            self.usedBy[request] = nil
        }
        if !self.freedBy.isEmpty {
            self.freedBy[request] = nil
        }
    }

    private mutating func confirm(_ credentials: [AuthorizationCredential]) {
        for credential in credentials {
            self.entries[credential]?.isConfirmed = true
        }
    }
}
