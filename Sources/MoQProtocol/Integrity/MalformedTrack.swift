// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A track breaks the rules of the object model (draft-18 §2.4.4, "Malformed Tracks"): whoever receives it ends its
/// subscriptions and fetches of the track. The session goes on.
public struct MalformedTrack: Error, Hashable, Sendable {
    /// Which rule was broken, and by which object; a text for people.
    public var reason: String

    /// Makes an error of its parts.
    public init(_ reason: String) {
        self.reason = reason
    }
}
