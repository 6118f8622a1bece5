// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
public import PacketLoop

/// The namespaces under a prefix, as a sequence of what appears and goes, read by a task anywhere.
///
/// The sequence ends when the peer ends it in order, and throws otherwise: also ``MoQError/Code/limitExceeded`` when more
/// events wait than about 100,000. Cancelling the task that reads, or letting the reader go, ends the request.
public final class NamespaceReader: AsyncSequence, Sendable {
    /// The subscription, for what is asked of it on the loop: another prefix.
    public let subscription: LoopBound<NamespaceSubscription>
    let buffer: ElementBuffer<NamespaceEvent>

    /// Made on the loop, when the peer has accepted.
    init(_ subscription: NamespaceSubscription, buffer: ElementBuffer<NamespaceEvent>) {
        self.subscription = LoopBound(subscription, on: subscription.session.loop)
        self.buffer = buffer
    }

    deinit {
        self.cancel()
    }

    /// Ends the request. Callable from anywhere, and more than once.
    public func cancel() {
        self.subscription.loop.post { [subscription] in
            subscription.value.cancel()
        }
    }

    /// Starts to read where the last iterator stopped.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(reader: self)
    }

    /// Reads event by event.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let reader: NamespaceReader

        /// The next event, never ``NamespaceEvent/ended(_:)``; nil at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MoQError) -> NamespaceEvent? {
            do throws(MoQError) {
                return try await self.reader.buffer.next {}
            } catch {
                if error.code == .cancelled {
                    self.reader.cancel()
                }
                throw error
            }
        }
    }
}

/// Puts what a namespace subscription tells into a reader's buffer. (loop)
final class NamespaceReaderFeed {
    /// Kept by its session.
    weak var subscription: NamespaceSubscription?
    let buffer = ElementBuffer<NamespaceEvent>(capacity: 16 << 20)

    func receive(_ event: NamespaceEvent) {
        switch event {
        case .ended(let error):
            self.buffer.finish(error.map { .failure($0) } ?? .success(()))
        case .published, .withdrawn, .blocked:
            guard self.buffer.append(event, byteCount: 0) else {
                return
            }
            let text = "nobody reads what appears and goes"
            self.buffer.finish(.failure(MoQError(code: .limitExceeded, message: text)))
            self.subscription?.cancel()
        }
    }
}
