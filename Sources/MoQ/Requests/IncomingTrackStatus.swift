// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// A question of the peer about a track. Loop only.
///
/// Answer with ``accept(largest:properties:)`` or ``reject(_:reason:retryAfter:)``, now or later, as a SUBSCRIBE for the track
/// would be answered. When the last reference goes away without an answer, the peer gets INTERNAL_ERROR.
public final class IncomingTrackStatus {
    private let entry: ReceivedTrackStatus

    init(entry: ReceivedTrackStatus) {
        self.entry = entry
    }

    deinit {
        self.entry.reject(.internalError, reason: "the request was not answered", retryAfter: nil)
    }

    /// What the peer sent.
    public var request: TrackStatus {
        self.entry.request
    }

    /// The track.
    public var track: FullTrackName {
        self.entry.request.track
    }

    /// The session it came in.
    public var session: MoQSession {
        self.entry.link.session
    }

    /// Whether the request still waits for its answer.
    public var isPending: Bool {
        self.entry.isPending
    }

    /// Called once when the peer cancels or the session closes before the request was answered.
    public var onCancelled: (() -> Void)? {
        get { self.entry.onCancelled }
        set { self.entry.onCancelled = newValue }
    }

    /// Answers that the track exists. `largest` is its largest location, nil while nothing was published. Up to draft 16 the
    /// answer has no room for properties.
    public func accept(largest: Location? = nil, properties: PropertyList = PropertyList()) {
        self.entry.accept(largest: largest, properties: properties)
    }

    /// Refuses the request. `retryAfter` is after how many milliseconds the peer may try again, nil for never.
    public func reject(_ code: RequestErrorCode, reason: String = "", retryAfter: UInt64? = nil) {
        self.entry.reject(code, reason: reason, retryAfter: retryAfter)
    }

    /// Refuses the request with the advice to make it somewhere else (REDIRECT, draft-18 §10.6.1): with another name, or, if
    /// this side is the server, at another URI. Drafts before 18 have no word for that: they get INTERNAL_ERROR.
    public func redirect(to redirect: Redirect, reason: String = "") {
        self.entry.reject(.redirect, reason: reason, retryAfter: nil, redirect: redirect)
    }
}
