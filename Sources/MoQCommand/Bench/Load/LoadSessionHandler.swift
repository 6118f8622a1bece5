// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// One side of a load. Refuses what the peer asks for, unless it implements the answer.
protocol LoadSessionHandler: MoQSessionHandler {}

extension LoadSessionHandler {
    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        request.reject(.doesNotExist, reason: "this side only subscribes")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: "this side asks by name")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "this side asks by name")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: "this side announces its namespace itself")
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        // The load goes on as long as the peer lets it.
    }

    /// Announces a namespace to a relay.
    func announce(_ namespace: TrackNamespace, in session: MoQSession, _ events: LoadEvents) -> NamespacePublication {
        let publication = session.publishNamespace(namespace) { result in
            switch result {
            case .success: events.announced.succeed(())
            case .failure(let error): events.fail(CommandFailure("the relay refused the namespace: \(error)"))
            }
        }
        publication.onCancelled = { _, reason in
            events.fail(CommandFailure("the relay does not want the namespace any more: \(reason)"))
        }
        return publication
    }
}
