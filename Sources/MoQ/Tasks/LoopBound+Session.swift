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
            let consumer = TrackReaderConsumer(capacity: buffering)
            let subscription = session.subscribe(request, consumer: consumer) { result in
                guard let subscription = consumer.subscription else {
                    return
                }
                answer(result.map { TrackReader(subscription, answer: $0, consumer: consumer) })
            }
            consumer.subscription = subscription
            return { subscription.cancel() }
        }
    }

    /// Subscribes to a track and fetches its past: returns every object from `start` on as a sequence, each once, those that
    /// come while the past is fetched behind it (draft-18 §10.12.2, "Joining Fetches").
    ///
    /// Objects of the past come in order, the others as ``TrackReader`` says. What the publisher does not have any more is left
    /// out. A group that lies in the future is waited for. The filter of the request is set to what a joining fetch needs, and
    /// the order of `parameters` is ascending. Of ``TrackReader/subgroups`` the past is no part.
    ///
    /// `buffering` is how many bytes may wait for the task that reads, and as many again while the past is fetched; then the
    /// publisher has to wait.
    /// - Throws: `rejected` with the publisher's code for either request, and what
    ///   ``MoQSession/subscribe(_:consumer:response:)`` says.
    public func subscribe(
        _ request: SubscribeRequest,
        from start: JoiningStart,
        parameters: FetchParameters = FetchParameters(),
        buffering: Int = 1 << 20
    ) async throws(MoQError) -> TrackReader {
        try await self.request { session, answer in
            let consumer = TrackReaderConsumer(capacity: buffering, joins: true)
            var request = request
            request.parameters.filter = .nextObject
            let subscription = session.subscribe(request, consumer: consumer) { result in
                switch result {
                case .success(let ok):
                    guard let subscription = consumer.subscription else {
                        return
                    }
                    consumer.join(subscription, from: start, parameters: parameters) { joined in
                        answer(joined.map { TrackReader(subscription, answer: ok, consumer: consumer) })
                    }
                case .failure(let error):
                    answer(.failure(error))
                }
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

    /// Waits until the peer asks this side to leave (GOAWAY), and returns what it said; at once when it has.
    ///
    /// New requests fail from then on. What is under way goes on until either side closes the session.
    /// - Throws: `sessionClosed` when the session ends without; `cancelled`.
    public func goaway() async throws(MoQError) -> SessionGoaway {
        try await self.request { session, answer in
            session.awaitGoaway(answer)
        }
    }

    /// Publishes a track: whoever subscribes to it in this session gets what is written to the ``TrackWriter``.
    ///
    /// With `announces` the namespace of the track is announced to the peer, and this returns when the peer has accepted
    /// that; relays need it. Tracks of one namespace share an announcement. `properties` are those of the track.
    ///
    /// With `kept` the session keeps that many bytes of what was written last, and answers FETCH from them; the oldest groups
    /// are forgotten first. Without, a FETCH goes to the ``MoQSessionHandler``.
    /// - Throws: `rejected` when the peer does not want the namespace; `invalidState` when the session publishes the
    ///   track already; `sessionClosed`, `goingAway`, `cancelled`.
    public func publish(
        _ track: FullTrackName,
        announces: Bool = true,
        properties: PropertyList = PropertyList(),
        keeping kept: Int = 0
    ) async throws(MoQError) -> TrackWriter {
        try await self.request { session, answer in
            let source = TrackSource(track: track, session: session, properties: properties, keeping: kept)
            session.sources.add(source, announces: announces, of: session) { result in
                answer(result.map { TrackWriter(source) })
            }
            return { source.abandon() }
        }
    }
}

/// A task that waits for GOAWAY. (loop)
final class GoawayWaiter {
    let answer: (Result<SessionGoaway, MoQError>) -> Void

    init(_ answer: @escaping (Result<SessionGoaway, MoQError>) -> Void) {
        self.answer = answer
    }
}

extension MoQSession {
    /// Calls `answer` once, when GOAWAY has come or the session is over. Returns what takes that back.
    func awaitGoaway(_ answer: @escaping (Result<SessionGoaway, MoQError>) -> Void) -> () -> Void {
        if let goaway = self.peerGoaway {
            answer(.success(goaway))
        } else if let closure = self.closure {
            answer(.failure(MoQError(closure)))
        } else {
            let waiter = GoawayWaiter(answer)
            self.goawayWaiters.append(waiter)
            return { [weak self] in
                self?.goawayWaiters.removeAll { $0 === waiter }
            }
        }
        return {}
    }

    /// GOAWAY has come, or never will.
    func tellGoaway(_ result: Result<SessionGoaway, MoQError>) {
        let waiters = self.goawayWaiters
        self.goawayWaiters = []
        for waiter in waiters {
            waiter.answer(result)
        }
    }
}
