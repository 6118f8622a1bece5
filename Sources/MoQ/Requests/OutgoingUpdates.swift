// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire

/// The updates of one request of this side (draft-18 §10.9, "REQUEST_UPDATE"), as far as they wait for their answers.
/// Loop only. Responses may ask for further updates.
final class OutgoingUpdates {
    typealias Response = (Result<RequestOk, MoQError>) -> Void

    private var waiting: [(id: RequestID, response: Response?)] = []

    /// Sends an update with these parameters, or this prefix, and tokens; `response` is called once, at once where there is no answer to wait
    /// for. Before that, `sent` is called if the update went out.
    func send(
        _ parameters: SubscriptionParameters = SubscriptionParameters(),
        prefix: TrackNamespace? = nil,
        tokens: [AuthorizationToken],
        of owner: any SessionRequest,
        over link: RequestLink,
        response: Response?,
        sent: () -> Void = {}
    ) {
        let session = link.session
        guard self.waiting.count < session.configuration.maxWaitingUpdates else {
            response?(.failure(MoQError(code: .requestLimit, message: "too many updates wait for their answers")))
            return
        }
        // What the draft cannot say is found out before an id is spent on it.
        var registry = session.tokenRegistry
        let message: MoQMessage
        do throws(MoQWireError) {
            message = try Self.message(parameters, prefix: prefix, tokens: tokens, over: link, &registry)
            _ = try session.encode(message)
        } catch {
            response?(.failure(MoQError(code: .notExpressible, message: error.reason)))
            return
        }
        guard let id = session.allocateUpdate() else {
            response?(.failure(MoQError(code: .requestLimit, message: "the peer permits no further request")))
            return
        }
        session.tokenRegistry = registry
        let isAnswered = session.profile.updatesAreAnswered
        if isAnswered {
            self.waiting.append((id, response))
            if session.profile.repliesCarryRequestID {
                session.updates[id] = owner
            } else {
                link.stream.pendingUpdates.append(id)
            }
        }
        guard link.send(message) else {
            self.waiting.removeAll { $0.id == id }
            session.updates[id] = nil
            session.tokenRegistry.ended(id)
            link.stream.pendingUpdates.removeAll { $0 == id }
            response?(.failure(MoQError(code: .notExpressible, message: "the update could not be sent")))
            return
        }
        sent()
        if !isAnswered {
            response?(.success(RequestOk(requestID: id, answers: .requestUpdate)))
        }
    }

    /// The update, with the next id.
    private static func message(
        _ parameters: SubscriptionParameters,
        prefix: TrackNamespace?,
        tokens: [AuthorizationToken],
        over link: RequestLink,
        _ registry: inout TokenRegistry
    ) throws(MoQWireError) -> MoQMessage {
        var message = MoQMessage.requestUpdate(
            RequestUpdate(
                requestID: link.session.nextRequestID,
                existingRequestID: link.id,
                parameters: parameters,
                namespacePrefix: prefix
            )
        )
        let isOnControlStream = !link.stream.isRequestStream
        try link.session.shorten(tokens, of: &message, onControlStream: isOnControlStream, &registry)
        return message
    }

    /// The response of the update with this id, which is answered; nil when it is no update's id.
    func take(_ id: RequestID?) -> Response? {
        guard let index = self.waiting.firstIndex(where: { $0.id == id }) else {
            return nil
        }
        let response = self.waiting.remove(at: index).response
        return response ?? { _ in }
    }

    /// The request is over: there will be no answers. Returns the responses, to be told so.
    func takeAll(of session: MoQSession) -> [Response] {
        let waiting = self.waiting
        self.waiting = []
        for update in waiting {
            session.updates[update.id] = nil
            session.tokenRegistry.ended(update.id)
        }
        return waiting.compactMap(\.response)
    }
}
