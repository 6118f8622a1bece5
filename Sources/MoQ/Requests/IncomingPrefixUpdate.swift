// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// A peer that follows the namespaces or tracks under a prefix wants to follow another prefix instead (draft-18 §10.9.2,
/// "Updating Namespace Subscriptions"). Loop only.
///
/// Answer once, while ``IncomingSubscribeNamespace/onPrefixUpdate`` runs.
public final class IncomingPrefixUpdate {
    /// What the namespaces are to begin with.
    public let prefix: TrackNamespace

    private let entry: NamespaceFeed
    private let update: RequestUpdate
    private var isAnswered = false

    init(entry: NamespaceFeed, update: RequestUpdate, prefix: TrackNamespace) {
        self.entry = entry
        self.update = update
        self.prefix = prefix
    }

    /// The tokens that the peer shows for it. Whether they allow it was asked of
    /// ``MoQSessionConfiguration/authorizer`` already.
    public var tokens: [AuthorizationToken] {
        self.update.tokens
    }

    /// Accepts it: ``IncomingSubscribeNamespace/prefix`` is the new one from now on. Of what was reported, the peer forgets
    /// what does not begin with it. Call ``IncomingSubscribeNamespace/publish(_:)`` for each namespace under it that exists;
    /// those that were reported already are left out.
    public func accept() {
        guard self.takeAnswer() else {
            return
        }
        self.entry.move(to: self.prefix, self.update)
    }

    /// Refuses it, which ends the request: ``IncomingSubscribeNamespace/onCancelled`` is called from inside.
    public func reject(_ code: RequestErrorCode, reason: String = "") {
        guard self.takeAnswer() else {
            return
        }
        self.entry.refuse(self.update, code, reason: reason)
    }

    /// Whether an answer is still due; it is not afterwards.
    private func takeAnswer() -> Bool {
        let isDue = !self.isAnswered
        self.isAnswered = true
        return isDue
    }
}
