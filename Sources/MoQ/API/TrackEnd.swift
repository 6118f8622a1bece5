// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// How a track ended for a subscriber.
public struct TrackEnd: Hashable, Sendable {
    /// What ended it.
    public enum Cause: Hashable, Sendable {
        /// The publisher sent PUBLISH_DONE.
        case publishDone
        /// The publisher gave the request up without PUBLISH_DONE.
        case cancelledByPeer
        /// This side cancelled the subscription.
        case cancelled
        /// This side ended the subscription because the track is malformed. What was delivered before may be wrong, too.
        case malformed
        /// The session closed.
        case sessionClosed
    }

    /// What ended it.
    public var cause: Cause
    /// The status of PUBLISH_DONE, MALFORMED_TRACK when this side found that out; INTERNAL_ERROR when there was none. Fit to be passed on to further subscribers.
    public var status: PublishDoneStatus
    /// How many streams the publisher says it opened; nil when it did not say.
    public var streamCount: UInt64?
    /// A text for people.
    public var reason: String

    /// Makes an end of its parts.
    public init(
        cause: Cause = .publishDone,
        status: PublishDoneStatus,
        streamCount: UInt64? = nil,
        reason: String = ""
    ) {
        self.cause = cause
        self.status = status
        self.streamCount = streamCount
        self.reason = reason
    }
}
