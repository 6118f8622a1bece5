// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a request failed (draft-18 §10.6, "REQUEST_ERROR").
public enum RequestErrorCode: Hashable, Sendable {
    /// Something went wrong on the sender's side.
    case internalError
    /// The requester may not do this.
    case unauthorized
    /// It took too long.
    case timeout
    /// The sender does not implement this kind of request.
    case notSupported
    /// A token has the wrong form.
    case malformedAuthToken
    /// A token is no longer valid.
    case expiredAuthToken
    /// The session is about to end (draft 18 and later).
    case goingAway
    /// The sender is overloaded (draft 18 and later).
    case excessiveLoad
    /// The track or namespace is not there.
    case doesNotExist
    /// No object can match the filter or range.
    case invalidRange
    /// The track breaks the rules of the object model.
    case malformedTrack
    /// There is such a subscription already (up to draft 18).
    case duplicateSubscription
    /// The track or namespace is not wanted.
    case uninterested
    /// The prefix overlaps with that of another subscription.
    case prefixOverlap
    /// The prefix matches too much (draft 18 and later).
    case namespaceTooLarge
    /// The fetch refers to no established subscription.
    case invalidJoiningRequestID
    /// There is nothing in the range of the fetch (draft 14).
    case noObjects
    /// It is not known what became of objects in the range of the fetch (draft 14).
    case unknownStatusInRange
    /// The track has a mandatory property that is not understood (draft 18 and later).
    case unsupportedExtension
    /// The request should be made elsewhere (draft 18 and later).
    case redirect
    /// A number that the draft in use does not define. From draft 17 on it counts as an internal error.
    case unknown(UInt64)

    /// The code that this number stands for in the draft, in the answer to a request of this kind.
    public init(wireValue: UInt64, in profile: DraftProfile, answering kind: RequestKind? = nil) {
        for entry in profile.errors.requestErrors(answering: kind) where entry.number == wireValue {
            self = entry.code
            return
        }
        self = .unknown(wireValue)
    }

    /// The number of this code in the draft, in the answer to a request of this kind. A code that the draft does not have
    /// there becomes its internal error.
    public func wireValue(in profile: DraftProfile, answering kind: RequestKind? = nil) -> UInt64 {
        if case .unknown(let number) = self {
            return number
        }
        var fallback: UInt64 = 0
        for entry in profile.errors.requestErrors(answering: kind) {
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

extension RequestErrorCode {
    /// The name that the draft has for the code, in the answer to a request of this kind; `UNKNOWN` for a number that it does
    /// not define. Draft 14 tells tracks and namespaces apart.
    public func name(in profile: DraftProfile, answering kind: RequestKind? = nil) -> String {
        let isAboutNamespaces = kind == .subscribeNamespace
        return switch self {
        case .internalError: "INTERNAL_ERROR"
        case .unauthorized: "UNAUTHORIZED"
        case .timeout: "TIMEOUT"
        case .notSupported: "NOT_SUPPORTED"
        case .malformedAuthToken: "MALFORMED_AUTH_TOKEN"
        case .expiredAuthToken: "EXPIRED_AUTH_TOKEN"
        case .goingAway: "GOING_AWAY"
        case .excessiveLoad: "EXCESSIVE_LOAD"
        case .doesNotExist where profile.messageForm == .fields:
            isAboutNamespaces ? "NAMESPACE_PREFIX_UNKNOWN" : "TRACK_DOES_NOT_EXIST"
        case .doesNotExist: "DOES_NOT_EXIST"
        case .invalidRange: "INVALID_RANGE"
        case .malformedTrack: "MALFORMED_TRACK"
        case .duplicateSubscription: "DUPLICATE_SUBSCRIPTION"
        case .uninterested: "UNINTERESTED"
        case .prefixOverlap: profile.messageForm == .fields ? "NAMESPACE_PREFIX_OVERLAP" : "PREFIX_OVERLAP"
        case .namespaceTooLarge: "NAMESPACE_TOO_LARGE"
        case .invalidJoiningRequestID: "INVALID_JOINING_REQUEST_ID"
        case .noObjects: "NO_OBJECTS"
        case .unknownStatusInRange: "UNKNOWN_STATUS_IN_RANGE"
        case .unsupportedExtension: "UNSUPPORTED_EXTENSION"
        case .redirect: "REDIRECT"
        case .unknown: "UNKNOWN"
        }
    }
}
