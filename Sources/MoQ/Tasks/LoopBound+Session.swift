// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import PacketLoop

// What a task asks of a session. Everything here may be called from anywhere, goes to the loop by itself, and waits for
// the peer's answer; cancelling the task that waits takes the request back.
extension LoopBound where Value == MoQSession {
    /// Subscribes to a track and returns its objects as a sequence, as soon as the publisher has accepted.
    ///
    /// `buffering` is how many bytes may wait for the task that reads; then the publisher has to wait.
    /// - Throws: `rejected` with the publisher's code, and what ``MoQSession/subscribe(_:consumer:response:)`` says.
    public func subscribe(
        _ request: SubscribeRequest,
        buffering: Int = 1 << 20
    ) async throws(MoQError) -> TrackReader {
        try await self.request { session, answer in
            let buffer = ElementBuffer<TrackReader.Item>(capacity: buffering)
            let consumer = TrackReaderConsumer(buffer: buffer)
            let subscription = session.subscribe(request, consumer: consumer) { result in
                guard let subscription = consumer.subscription else {
                    return
                }
                answer(result.map { TrackReader(subscription, answer: $0, buffer: buffer) })
            }
            consumer.subscription = subscription
            return { subscription.cancel() }
        }
    }

    /// Fetches a range of a track and returns its objects as a sequence, as soon as the publisher has accepted.
    ///
    /// `buffering` is how many bytes may wait for the task that reads; then the publisher has to wait.
    /// - Throws: `rejected` with the publisher's code, and what ``MoQSession/fetch(_:consumer:response:)`` says.
    public func fetch(_ request: FetchRequest, buffering: Int = 1 << 20) async throws(MoQError) -> FetchReader {
        try await self.request { session, answer in
            let buffer = ElementBuffer<TrackObject>(capacity: buffering)
            let consumer = FetchReaderConsumer(buffer: buffer)
            let receiver = session.fetch(request, consumer: consumer) { result in
                guard let receiver = consumer.receiver else {
                    return
                }
                answer(result.map { FetchReader(receiver, answer: $0, buffer: buffer) })
            }
            consumer.receiver = receiver
            return { receiver.cancel() }
        }
    }

    /// Tells which namespaces there are under a prefix, now and later, as a sequence.
    /// - Throws: `rejected` with the peer's code, and what
    ///   ``MoQSession/subscribeNamespace(_:tokens:events:response:)`` says.
    public func namespaces(
        under prefix: TrackNamespace,
        tokens: [AuthorizationToken] = []
    ) async throws(MoQError) -> NamespaceReader {
        try await self.request { session, answer in
            let reader = NamespaceReaderFeed()
            let subscription = session.subscribeNamespace(prefix, tokens: tokens) { event in
                reader.receive(event)
            } response: { result in
                guard let subscription = reader.subscription else {
                    return
                }
                answer(result.map { NamespaceReader(subscription, buffer: reader.buffer) })
            }
            reader.subscription = subscription
            return { subscription.cancel() }
        }
    }

    /// Publishes a track: whoever subscribes to it in this session gets what is written to the ``TrackWriter``.
    ///
    /// With `announces` the namespace of the track is announced to the peer, and this returns when the peer has accepted
    /// that; relays need it. Tracks of one namespace share an announcement. `properties` are those of the track.
    /// - Throws: `rejected` when the peer does not want the namespace; `invalidState` when the session publishes the
    ///   track already; `sessionClosed`, `goingAway`, `cancelled`.
    public func publish(
        _ track: FullTrackName,
        announces: Bool = true,
        properties: PropertyList = PropertyList()
    ) async throws(MoQError) -> TrackWriter {
        try await self.request { session, answer in
            let source = TrackSource(track: track, session: session, properties: properties)
            session.sources.add(source, announces: announces, of: session) { result in
                answer(result.map { TrackWriter(source) })
            }
            return { source.abandon() }
        }
    }
}
