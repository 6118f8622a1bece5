// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The tokens that a peer has registered under aliases, as far as this side is willing to keep them (draft-18 §10.2.2,
/// "AUTHORIZATION TOKEN Parameter").
///
/// What it holds is bounded by ``capacity``, the MAX_AUTH_TOKEN_CACHE_SIZE that the peer was told, in which every token
/// counts 16 bytes and its value. A token that has expired keeps its alias and its place, because the cache does not judge.
public struct TokenCache: Sendable {
    /// How many bytes of tokens may be registered. With 0 none can.
    public let capacity: UInt64
    /// How many bytes those that are registered count.
    public private(set) var size: UInt64 = 0

    private var credentials: [UInt64: AuthorizationCredential] = [:]

    /// Makes an empty cache.
    public init(capacity: UInt64) {
        self.capacity = capacity
    }

    /// How many tokens are registered.
    public var count: Int {
        self.credentials.count
    }

    /// Takes the tokens of a request in their order: registers, retires, and puts what aliases stand for in their place.
    ///
    /// To be called for every request that arrives, whatever becomes of it: what follows may refer to its tokens.
    ///
    /// - Returns: the tokens that apply to the request, all of them by value.
    /// - Throws: AUTH_TOKEN_CACHE_OVERFLOW for a registration that there is no room for, DUPLICATE_AUTH_TOKEN_ALIAS for one
    ///   under an alias in use; UNKNOWN_AUTH_TOKEN_ALIAS for the use or the end of an alias that is not registered, which no
    ///   draft has a request error for.
    public mutating func resolve(_ tokens: [AuthorizationToken]) throws(ProtocolViolation) -> [AuthorizationToken] {
        var resolved: [AuthorizationToken] = []
        for token in tokens {
            if case .register(let alias, let type, let value) = token {
                let credential = AuthorizationCredential(type: type, value: value)
                guard try self.register(credential, alias) else {
                    throw ProtocolViolation(
                        .authTokenCacheOverflow,
                        "a token of \(credential.cacheCost) bytes was registered, \(self.capacity - self.size) are left"
                    )
                }
                resolved.append(AuthorizationToken(credential))
            } else if let other = try self.resolve(reference: token) {
                resolved.append(other)
            }
        }
        return resolved
    }

    /// Takes the tokens of the SETUP of a peer, which cannot know how much room there is: a registration that finds none
    /// counts as a plain token.
    ///
    /// - Returns: the tokens that apply to the session, all of them by value.
    /// - Throws: PROTOCOL_VIOLATION for a reference of a client, which cannot have registered anything; otherwise as
    ///   ``resolve(_:)``, apart from AUTH_TOKEN_CACHE_OVERFLOW.
    public mutating func resolveSetup(
        _ tokens: [AuthorizationToken],
        of sender: Role
    ) throws(ProtocolViolation) -> [AuthorizationToken] {
        var resolved: [AuthorizationToken] = []
        for token in tokens {
            switch token {
            case .register(let alias, let type, let value):
                let credential = AuthorizationCredential(type: type, value: value)
                _ = try self.register(credential, alias)
                resolved.append(AuthorizationToken(credential))
            case .useValue, .useAlias, .delete:
                guard sender == .server || token.credential != nil else {
                    throw .protocolViolation("token alias in the SETUP of a client")
                }
                if let other = try self.resolve(reference: token) {
                    resolved.append(other)
                }
            }
        }
        return resolved
    }

    /// Remembers a token. Returns false when there is no room.
    private mutating func register(
        _ credential: AuthorizationCredential,
        _ alias: UInt64
    ) throws(ProtocolViolation) -> Bool {
        guard self.credentials[alias] == nil else {
            throw ProtocolViolation(.duplicateAuthTokenAlias, "token alias \(alias) is registered already")
        }
        guard credential.cacheCost <= self.capacity - self.size else {
            return false
        }
        self.size += credential.cacheCost
        self.credentials[alias] = credential
        return true
    }

    /// What a token that registers nothing stands for; nil when it ends an alias.
    private mutating func resolve(reference token: AuthorizationToken) throws(ProtocolViolation) -> AuthorizationToken?
    {
        switch token {
        case .useAlias(let alias):
            guard let credential = self.credentials[alias] else {
                throw Self.unknown(alias)
            }
            return AuthorizationToken(credential)
        case .delete(let alias):
            guard let credential = self.credentials.removeValue(forKey: alias) else {
                throw Self.unknown(alias)
            }
            self.size -= credential.cacheCost
            return nil
        case .useValue, .register:
            return token
        }
    }

    private static func unknown(_ alias: UInt64) -> ProtocolViolation {
        ProtocolViolation(.unknownAuthTokenAlias, "token alias \(alias) is not registered")
    }
}
