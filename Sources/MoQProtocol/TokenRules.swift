// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The rules for tokens of a receiver that keeps none: its MAX_AUTH_TOKEN_CACHE_SIZE is 0 (draft-18 §10.2.2).
public enum TokenRules {
    /// Checks the tokens of a request.
    ///
    /// - Throws: AUTH_TOKEN_CACHE_OVERFLOW for a registration, since there is no room for any;
    ///   UNKNOWN_AUTH_TOKEN_ALIAS for a reference, since none can exist.
    public static func checkRequest(_ tokens: [AuthorizationToken]) throws(ProtocolViolation) {
        for token in tokens {
            switch token {
            case .register:
                throw ProtocolViolation(.authTokenCacheOverflow, "token registered, but no room for tokens was offered")
            case .useAlias(let alias), .delete(let alias):
                throw ProtocolViolation(.unknownAuthTokenAlias, "token alias \(alias) is not registered")
            case .useValue:
                break
            }
        }
    }

    /// Checks the tokens of SETUP, where a registration that finds no room counts as a plain token.
    ///
    /// - Throws: PROTOCOL_VIOLATION for a reference: nothing can be registered yet.
    public static func checkSetup(_ tokens: [AuthorizationToken]) throws(ProtocolViolation) {
        for token in tokens {
            switch token {
            case .useAlias, .delete:
                throw .protocolViolation("token alias in SETUP")
            case .register, .useValue:
                break
            }
        }
    }
}
