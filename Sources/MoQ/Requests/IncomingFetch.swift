// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
public import MoQWire

/// A range of a track that the peer wants. Loop only.
///
/// Answer with ``accept(largest:isTrackComplete:groupOrder:properties:)`` or ``reject(_:reason:retryAfter:)``, now or later. When the
/// last reference goes away without an answer, the peer gets INTERNAL_ERROR; after an answer references need not be kept.
///
/// Of a joining fetch the track and the range are those that the draft makes of the subscription.
public final class IncomingFetch {
    /// What the peer sent.
    public let request: Fetch
    private let entry: FetchPublisher

    init(entry: FetchPublisher, request: Fetch) {
        self.entry = entry
        self.request = request
    }

    deinit {
        self.entry.reject(.internalError, reason: "the request was not answered", retryAfter: nil)
    }

    /// The track.
    public var track: FullTrackName {
        self.entry.track
    }

    /// The first location that is wanted.
    public var start: Location {
        self.entry.range.start
    }

    /// The last one, possibly beyond what exists. It does not lie before ``start``.
    public var end: FetchEnd {
        self.entry.range.end
    }

    /// The order in which the groups are wanted. Draft 14 can leave that to the publisher, see
    /// ``accept(largest:isTrackComplete:groupOrder:properties:)``; this is ascending then.
    public var groupOrder: GroupOrder {
        self.entry.groupOrder
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

    /// Accepts the request (FETCH_OK) and returns where the objects go, groups in the order that was asked for and objects
    /// ascending in each.
    ///
    /// `largest` is the largest location that exists, nil while nothing was published; `isTrackComplete` says that nothing
    /// will come after it. From both follows where the response ends. `groupOrder` counts when the peer leaves the order to
    /// the publisher, which only draft 14 can: `request.groupOrder` is nil then.
    ///
    /// When the request is over already, or its range begins after everything that exists (it is answered INVALID_RANGE
    /// then), the publisher that comes back has ended: see ``FetchPublisher/isEnded``.
    public func accept(
        largest: Location?,
        isTrackComplete: Bool = false,
        groupOrder: GroupOrder? = nil,
        properties: PropertyList = PropertyList()
    ) -> FetchPublisher {
        self.entry.accept(
            largest: largest,
            isTrackComplete: isTrackComplete,
            groupOrder: groupOrder,
            properties: properties
        )
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
