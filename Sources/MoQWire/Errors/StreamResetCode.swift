// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a stream was reset or is not read any more (draft-18 §3.3.3, "Stream Reset Error Codes").
public enum StreamResetCode: Hashable, Sendable {
    /// Something went wrong on the sender's side.
    case internalError
    /// One side does not want the stream any more.
    case cancelled
    /// A delivery timeout passed.
    case deliveryTimeout
    /// The session is being closed.
    case sessionClosed
    /// The request is refused because of a GOAWAY (draft 18 and later).
    case goingAway
    /// The subscriber reads too slowly (draft 18 and later).
    case tooFarBehind
    /// The publisher cannot tell what became of an object (draft 16 and later).
    case unknownObjectStatus
    /// The token of the request is no longer valid (draft 18 and later).
    case expiredAuthToken
    /// The sender is overloaded (draft 18 and later).
    case excessiveLoad
    /// The track breaks the rules of the object model (draft 16 and later).
    case malformedTrack
    /// A number that the draft in use does not define. From draft 17 on it counts as an internal error.
    case unknown(UInt64)

    /// The code that this number stands for in the draft.
    public init(wireValue: UInt64, in profile: DraftProfile) {
        for entry in profile.errors.streamReset where entry.number == wireValue {
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
        for entry in profile.errors.streamReset {
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
