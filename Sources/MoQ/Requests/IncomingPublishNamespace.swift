// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// A namespace that the peer announces. Loop only.
///
/// Answer with ``accept()`` or ``reject(_:reason:)``, now or later. When the last reference goes away without an answer,
/// the peer gets INTERNAL_ERROR; after an answer references need not be kept.
public final class IncomingPublishNamespace {
    private let entry: ReceivedAnnouncement

    init(entry: ReceivedAnnouncement) {
        self.entry = entry
    }

    deinit {
        self.entry.reject(.internalError, reason: "the request was not answered")
    }

    /// What the peer sent.
    public var request: PublishNamespace {
        self.entry.request
    }

    /// The namespace.
    public var namespace: TrackNamespace {
        self.entry.request.namespace
    }

    /// The session it came in.
    public var session: MoQSession {
        self.entry.link.session
    }

    /// Called once when the peer takes the announcement back or the session closes, answered or not. Not called after
    /// ``reject(_:reason:)`` and ``cancel(_:reason:)``.
    public var onWithdrawn: (() -> Void)? {
        get { self.entry.onWithdrawn }
        set { self.entry.onWithdrawn = newValue }
    }

    /// Accepts the announcement.
    public func accept() {
        self.entry.accept()
    }

    /// Refuses the announcement.
    public func reject(_ code: RequestErrorCode, reason: String = "") {
        self.entry.reject(code, reason: reason)
    }

    /// Revokes the acceptance. Drafts without a message for it tell the peer no code.
    public func cancel(_ code: RequestErrorCode, reason: String = "") {
        self.entry.cancel(code, reason: reason)
    }

    /// Refuses the request with the advice to make it somewhere else (REDIRECT, draft-18 §10.6.1): with another name, or, if
    /// this side is the server, at another URI. Drafts before 18 have no word for that: they get INTERNAL_ERROR.
    public func redirect(to redirect: Redirect, reason: String = "") {
        self.entry.reject(.redirect, reason: reason, redirect: redirect)
    }
}
