// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a token says, without the alias that it may be sent under: the Token Type and the Token Value (draft-18 §10.2.2).
public struct AuthorizationCredential: Hashable, Sendable {
    /// How to read the value; 0 for what both sides have agreed on otherwise.
    public var type: UInt64
    /// The payload.
    public var value: [UInt8]

    /// Makes a credential of its parts.
    public init(type: UInt64 = 0, value: [UInt8]) {
        self.type = type
        self.value = value
    }

    /// What it costs to remember it: 16 and the length of its value (draft-18 §10.3.1.3, "MAX_AUTH_TOKEN_CACHE_SIZE").
    public var cacheCost: UInt64 {
        UInt64(self.value.count) + 16
    }
}

extension AuthorizationToken {
    /// What the token says; nil when it only refers to another one by its alias.
    public var credential: AuthorizationCredential? {
        switch self {
        case .register(_, let type, let value), .useValue(let type, let value):
            return AuthorizationCredential(type: type, value: value)
        case .delete, .useAlias:
            return nil
        }
    }

    /// The token that says this and is not remembered.
    public init(_ credential: AuthorizationCredential) {
        self = .useValue(type: credential.type, value: credential.value)
    }
}
