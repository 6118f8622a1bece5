// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// A track that the peer offers. Loop only.
///
/// Answer with ``accept(forward:parameters:consumer:)`` or ``reject(_:reason:retryAfter:)``, now or later. When the last
/// reference goes away without an answer, the peer gets INTERNAL_ERROR; after an answer references need not be kept.
public final class IncomingPublish {
    private let entry: PublishOffer

    init(entry: PublishOffer) {
        self.entry = entry
    }

    deinit {
        self.entry.reject(.internalError, reason: "the request was not answered", retryAfter: nil)
    }

    /// What the peer sent.
    public var request: Publish {
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

    /// Whether the offer still waits for its answer.
    public var isPending: Bool {
        self.entry.isPending
    }

    /// Called once when the peer takes the offer back or the session closes before the offer was answered.
    public var onCancelled: (() -> Void)? {
        get { self.entry.onCancelled }
        set { self.entry.onCancelled = newValue }
    }

    /// Accepts the offer (PUBLISH_OK). `consumer` gets the objects, and once and last that the track ended.
    ///
    /// With `forward` false the publisher sends none until
    /// ``Subscription/update(forward:priority:filter:objectDeliveryTimeout:subgroupDeliveryTimeout:newGroupRequest:tokens:response:)``
    /// says otherwise. A subscription of this side to the same track that is not answered yet is cancelled in favour of this one. When
    /// the offer is gone already, the subscription that comes back has ended and `consumer` is told so from the loop.
    @discardableResult
    public func accept(
        forward: Bool = true,
        parameters: SubscriptionParameters = SubscriptionParameters(),
        consumer: any TrackConsumer
    ) -> Subscription {
        var parameters = parameters
        parameters.forward = forward
        return self.entry.accept(parameters: parameters, consumer: consumer)
    }

    /// Accepts the offer (PUBLISH_OK) and returns the objects as a sequence, for a task anywhere to read.
    ///
    /// `buffering` is how many bytes may wait for that task; then the publisher has to wait. When the offer is gone already,
    /// the sequence throws that. Everything else is as in ``accept(forward:parameters:consumer:)``.
    public func accept(
        forward: Bool = true,
        parameters: SubscriptionParameters = SubscriptionParameters(),
        buffering: Int = 1 << 20
    ) -> TrackReader {
        var parameters = parameters
        parameters.forward = forward
        let consumer = TrackReaderConsumer(capacity: buffering)
        let subscription = self.entry.accept(parameters: parameters, consumer: consumer) {
            consumer.subscription = $0
        }
        let offer = self.entry.request
        let answer = SubscribeOk(
            requestID: offer.requestID,
            trackAlias: offer.trackAlias,
            expires: offer.expires,
            largestObject: offer.largestObject,
            groupOrder: parameters.groupOrder ?? offer.properties.defaultPublisherGroupOrder,
            properties: offer.properties
        )
        return TrackReader(subscription, answer: answer, consumer: consumer)
    }

    /// Refuses the offer.
    public func reject(
        _ code: RequestErrorCode = .uninterested,
        reason: String = "",
        retryAfter: UInt64? = nil
    ) {
        self.entry.reject(code, reason: reason, retryAfter: retryAfter)
    }
}
