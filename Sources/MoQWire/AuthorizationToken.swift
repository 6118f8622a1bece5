// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A token, or a reference to one sent earlier (draft-18 §10.2.2, "AUTHORIZATION TOKEN Parameter").
public enum AuthorizationToken: Hashable, Sendable {
    /// The alias and the token it stood for are retired.
    case delete(alias: UInt64)
    /// The alias stands for this token from now on; the token also applies to the message that carries it.
    case register(alias: UInt64, type: UInt64, value: [UInt8])
    /// The token that was registered under this alias applies.
    case useAlias(UInt64)
    /// This token applies, and is not remembered.
    case useValue(type: UInt64, value: [UInt8])

    /// What a registered token costs in the receiver's cache: 16 and the length of its value.
    public var cacheCost: Int {
        switch self {
        case .register(_, _, let value):
            return value.count + 16
        case .delete, .useAlias, .useValue:
            return 0
        }
    }
}
