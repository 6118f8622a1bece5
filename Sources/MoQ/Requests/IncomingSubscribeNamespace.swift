// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// A request of the peer to be told of namespaces, or to be offered the tracks in them. Loop only.
///
/// Answer with ``accept()`` or ``reject(_:reason:)``, now or later. When the last reference goes away without an answer,
/// the peer gets INTERNAL_ERROR. Keep it to report namespaces.
public final class IncomingSubscribeNamespace {
    private let entry: NamespaceFeed

    init(entry: NamespaceFeed) {
        self.entry = entry
    }

    deinit {
        self.entry.reject(.internalError, reason: "the request was not answered")
    }

    /// What the peer sent first. A SUBSCRIBE_TRACKS looks like a SUBSCRIBE_NAMESPACE that is interested in tracks.
    public var request: SubscribeNamespace {
        self.entry.request
    }

    /// Whether the peer sent SUBSCRIBE_TRACKS, which leaves out the tracks that the peer publishes itself
    /// (draft-18 §6.1).
    public var isSubscribeTracks: Bool {
        self.entry.link.kind == .subscribeTracks
    }

    /// What the namespaces begin with: what the peer asked for first, or the prefix that was accepted last.
    public var prefix: TrackNamespace {
        self.entry.prefix
    }

    /// The session it came in.
    public var session: MoQSession {
        self.entry.link.session
    }

    /// Called once when the peer cancels or the session closes. Not called after ``reject(_:reason:)``.
    public var onCancelled: (() -> Void)? {
        get { self.entry.onCancelled }
        set { self.entry.onCancelled = newValue }
    }

    /// Called when the peer wants to follow another prefix from now on (draft-18 §10.9.2, "Updating Namespace Subscriptions").
    /// Answer before it returns. Without it, and without an answer, the peer gets an error, which ends the request: then
    /// ``onCancelled`` is called.
    ///
    /// A prefix that overlaps with another one of the session is refused before (PREFIX_OVERLAP).
    public var onPrefixUpdate: ((IncomingPrefixUpdate) -> Void)? {
        get { self.entry.onPrefixUpdate }
        set { self.entry.onPrefixUpdate = newValue }
    }

    /// Accepts the request; call ``publish(_:)`` for each namespace that exists afterwards.
    public func accept() {
        self.entry.accept()
    }

    /// Refuses the request.
    public func reject(_ code: RequestErrorCode, reason: String = "") {
        self.entry.reject(code, reason: reason)
    }

    /// Reports that a namespace exists. Namespaces outside the prefix, and those reported already, are left out.
    public func publish(_ namespace: TrackNamespace) {
        self.entry.publish(namespace)
    }

    /// Reports that a namespace is gone. Left out when it was not reported.
    public func withdraw(_ namespace: TrackNamespace) {
        self.entry.withdraw(namespace)
    }

    /// Says that a track under the prefix cannot be offered (PUBLISH_BLOCKED), where the draft has a message for that.
    public func block(_ track: FullTrackName) {
        self.entry.block(track)
    }

    /// Ends the request from this side; nothing can be reported afterwards.
    public func end() {
        self.entry.end()
    }

    /// Refuses the request with the advice to make it somewhere else (REDIRECT, draft-18 §10.6.1): with another name, or, if
    /// this side is the server, at another URI. Drafts before 18 have no word for that: they get INTERNAL_ERROR.
    public func redirect(to redirect: Redirect, reason: String = "") {
        self.entry.reject(.redirect, reason: reason, redirect: redirect)
    }
}
