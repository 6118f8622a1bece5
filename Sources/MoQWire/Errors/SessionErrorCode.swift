// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a session is closed (draft-18 §3.5, "Termination").
public enum SessionErrorCode: Hashable, Sendable {
    /// The session ends without an error.
    case noError
    /// Something went wrong on the sender's side.
    case internalError
    /// The client may not have the session.
    case unauthorized
    /// The peer broke a rule of the draft.
    case protocolViolation
    /// The peer used a request id that it may not use.
    case invalidRequestID
    /// Two tracks have the same alias.
    case duplicateTrackAlias
    /// A value does not have the form of its type.
    case keyValueFormattingError
    /// The peer used a request id beyond the limit (up to draft 16).
    case tooManyRequests
    /// The path is not served, or must not be sent here.
    case invalidPath
    /// The path is no path.
    case malformedPath
    /// The peer did not leave after GOAWAY.
    case goawayTimeout
    /// The peer took too long to answer.
    case controlMessageTimeout
    /// The peer took too long to send data.
    case dataStreamTimeout
    /// The peer registered more tokens than allowed.
    case authTokenCacheOverflow
    /// The peer registered a token under an alias in use.
    case duplicateAuthTokenAlias
    /// There is no version in common.
    case versionNegotiationFailed
    /// A token has the wrong form.
    case malformedAuthToken
    /// A token alias is not registered.
    case unknownAuthTokenAlias
    /// A token is no longer valid.
    case expiredAuthToken
    /// The authority is not served, or must not be sent here.
    case invalidAuthority
    /// The authority is no authority.
    case malformedAuthority
    /// More updates were sent than allowed without waiting (draft 19 and later).
    case tooManyRequestUpdates
    /// A number that the draft in use does not define. From draft 17 on it counts as an internal error.
    case unknown(UInt64)

    /// The code that this number stands for in the draft.
    public init(wireValue: UInt64, in profile: DraftProfile) {
        for entry in profile.errors.session where entry.number == wireValue {
            self = entry.code
            return
        }
        self = .unknown(wireValue)
    }

    /// The number of this code in the draft. A code that the draft does not have becomes its internal error.
    public func wireValue(in profile: DraftProfile) -> UInt64 {
        if case .unknown(let number) = self {
            return number
        }
        var fallback: UInt64 = 0
        for entry in profile.errors.session {
            if entry.code == self {
                return entry.number
            }
            if entry.code == .internalError {
                fallback = entry.number
            }
        }
        return fallback
    }
}

extension SessionErrorCode {
    /// The name that the drafts have for the code; `UNKNOWN` for one that they do not define.
    public var name: String {
        switch self {
        case .noError: "NO_ERROR"
        case .internalError: "INTERNAL_ERROR"
        case .unauthorized: "UNAUTHORIZED"
        case .protocolViolation: "PROTOCOL_VIOLATION"
        case .invalidRequestID: "INVALID_REQUEST_ID"
        case .duplicateTrackAlias: "DUPLICATE_TRACK_ALIAS"
        case .keyValueFormattingError: "KEY_VALUE_FORMATTING_ERROR"
        case .tooManyRequests: "TOO_MANY_REQUESTS"
        case .invalidPath: "INVALID_PATH"
        case .malformedPath: "MALFORMED_PATH"
        case .goawayTimeout: "GOAWAY_TIMEOUT"
        case .controlMessageTimeout: "CONTROL_MESSAGE_TIMEOUT"
        case .dataStreamTimeout: "DATA_STREAM_TIMEOUT"
        case .authTokenCacheOverflow: "AUTH_TOKEN_CACHE_OVERFLOW"
        case .duplicateAuthTokenAlias: "DUPLICATE_AUTH_TOKEN_ALIAS"
        case .versionNegotiationFailed: "VERSION_NEGOTIATION_FAILED"
        case .malformedAuthToken: "MALFORMED_AUTH_TOKEN"
        case .unknownAuthTokenAlias: "UNKNOWN_AUTH_TOKEN_ALIAS"
        case .expiredAuthToken: "EXPIRED_AUTH_TOKEN"
        case .invalidAuthority: "INVALID_AUTHORITY"
        case .malformedAuthority: "MALFORMED_AUTHORITY"
        case .tooManyRequestUpdates: "TOO_MANY_REQUEST_UPDATES"
        case .unknown: "UNKNOWN"
        }
    }
}
