// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// A track that the peer wants. Loop only.
///
/// Answer with ``accept(largest:expires:properties:)`` or ``reject(_:reason:retryAfter:)``, now or later. When the last
/// reference goes away without an answer, the peer gets INTERNAL_ERROR; after an answer references need not be kept.
public final class IncomingSubscribe {
    /// What the peer sent.
    public let request: Subscribe
    private let entry: TrackPublisher

    init(entry: TrackPublisher, request: Subscribe) {
        self.entry = entry
        self.request = request
    }

    deinit {
        self.entry.reject(.internalError, reason: "the request was not answered", retryAfter: nil)
    }

    /// The track.
    public var track: FullTrackName {
        self.request.track
    }

    /// The session it came in.
    public var session: MoQSession {
        self.entry.session
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

    /// Accepts the request (SUBSCRIBE_OK) and returns where the objects go.
    ///
    /// `largest` is the largest location of the track that is known, nil while nothing was published; relative filters
    /// are resolved against it. `expires` is after how many milliseconds the subscription ends, nil for never.
    ///
    /// When the request is over already, or its range can bring nothing more (it is answered INVALID_RANGE then), the
    /// publisher that comes back has ended: see ``TrackPublisher/isEnded``.
    public func accept(
        largest: Location? = nil,
        expires: UInt64? = nil,
        properties: PropertyList = PropertyList()
    ) -> TrackPublisher {
        self.entry.accept(largest: largest, expires: expires, properties: properties)
        return self.entry
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
