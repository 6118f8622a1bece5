// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import PacketLoop

/// A subscription as a sequence of whole objects, read by a task anywhere.
///
/// ```swift
/// let reader = try await client.session.subscribe(SubscribeRequest(track: name))
/// for try await object in reader {
///     print(object.location, object.payload.count)
/// }
/// ```
///
/// Objects of one subgroup come in order; those of different subgroups, which travel on streams of their own, as they
/// arrive. Marks of draft 14 and of the ends of groups are objects with another status than normal.
///
/// A task that reads too slowly stops the publisher: when the buffer is full, the subscription is paused and its windows
/// close. Datagrams cannot be stopped, those that find the buffer full are left out and counted in
/// ``droppedDatagramCount``.
///
/// The sequence ends with the track. It throws ``MoQError/Code/endedEarly`` when the publisher gave up, ``MoQError/Code/sessionClosed``,
/// and ``MoQError/Code/limitExceeded`` when unfinished objects need more than 64 MiB. When the task that reads is cancelled
/// it throws ``MoQError/Code/cancelled``, and the subscription is cancelled, as it is when the last reference to the reader
/// and its iterators is gone. One task reads at a time.
///
/// One that began in the past (`subscribe(_:from:)`) has first the objects of a fetch, in order, and then those of the
/// subscription, each of them once.
///
/// The synchronous way, without a buffer and without a thread in between, is ``TrackConsumer``.
public final class TrackReader: AsyncSequence, Sendable {
    /// What the loop hands over.
    enum Item: Sendable {
        /// An object, and the number of the subgroup's stream; 0 for datagrams.
        case object(TrackObject, stream: UInt64)
        /// The end of a subgroup's stream.
        case end(SubgroupDescription, stream: UInt64, isComplete: Bool)
    }

    /// The track.
    public let track: FullTrackName
    /// What the publisher answered: how far the track was, and its properties.
    public let answer: SubscribeOk
    /// The subscription, for everything that is asked of it on the loop: updates, joining fetches.
    public let subscription: LoopBound<Subscription>
    private let consumer: LoopBound<TrackReaderConsumer>
    private let buffer: ElementBuffer<Item>

    /// Made on the loop, when the publisher has accepted.
    init(_ subscription: Subscription, answer: SubscribeOk, consumer: TrackReaderConsumer) {
        self.track = subscription.track
        self.answer = answer
        self.subscription = LoopBound(subscription, on: subscription.session.loop)
        self.consumer = LoopBound(consumer, on: subscription.session.loop)
        self.buffer = consumer.buffer
    }

    deinit {
        self.subscription.loop.post { [subscription] in
            subscription.value.cancel()
        }
    }

    /// Ends the subscription; the sequence then throws ``MoQError/Code/cancelled`` after what has arrived. Callable from
    /// anywhere, and more than once.
    public func cancel() {
        self.subscription.loop.post { [subscription] in
            subscription.value.cancel()
        }
    }

    /// How many objects that came in datagrams were left out because the buffer was full.
    public var droppedDatagramCount: UInt64 {
        self.buffer.droppedCount
    }

    /// The same, whole subgroup by whole subgroup: each when its stream has ended. Objects of datagrams are not in it.
    public var subgroups: TrackSubgroups {
        TrackSubgroups(reader: self)
    }

    /// Starts to read where the last iterator stopped.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(reader: self)
    }

    /// Reads object by object.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let reader: TrackReader

        /// The next object; nil at the end of the track.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MoQError) -> TrackObject? {
            while let item = try await self.reader.next() {
                if case .object(let object, _) = item {
                    return object
                }
            }
            return nil
        }
    }

    /// Takes what comes next.
    func next() async throws(MoQError) -> Item? {
        do throws(MoQError) {
            return try await self.buffer.next {
                self.consumer.loop.post { [consumer] in
                    consumer.value.makeRoom()
                }
            }
        } catch {
            if error.code == .cancelled {
                self.cancel()
            }
            throw error
        }
    }
}
