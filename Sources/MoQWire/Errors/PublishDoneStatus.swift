// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a subscription ended (draft-18 §10.11, "PUBLISH_DONE").
public enum PublishDoneStatus: Hashable, Sendable {
    /// Something went wrong on the publisher's side.
    case internalError
    /// The subscriber may not have the track any more.
    case unauthorized
    /// The track is not published any more.
    case trackEnded
    /// The end of the filter was reached.
    case subscriptionEnded
    /// The session is about to end.
    case goingAway
    /// The time of the subscription is over.
    case expired
    /// The subscriber reads too slowly.
    case tooFarBehind
    /// The track breaks the rules of the object model.
    case malformedTrack
    /// A REQUEST_UPDATE failed (draft 16 and later).
    case updateFailed
    /// The publisher is overloaded (draft 18 and later).
    case excessiveLoad
    /// A number that the draft in use does not define. From draft 17 on it counts as an internal error.
    case unknown(UInt64)

    /// The code that this number stands for in the draft.
    public init(wireValue: UInt64, in profile: DraftProfile) {
        for entry in profile.errors.publishDone where entry.number == wireValue {
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
        for entry in profile.errors.publishDone {
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
