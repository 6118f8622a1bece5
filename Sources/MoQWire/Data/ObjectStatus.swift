// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What an object without payload says about its track (draft-18 §11.2.1.1, "Object Status").
public enum ObjectStatus: UInt8, Hashable, Sendable {
    /// An ordinary object, possibly empty.
    case normal = 0
    /// There is no such object, and there will not be one (draft 14).
    case doesNotExist = 1
    /// The group has no object with this id or a larger one.
    case endOfGroup = 3
    /// The track has no object at this location or after it.
    case endOfTrack = 4
}
