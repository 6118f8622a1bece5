// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// Answers a fetch from what is kept of a track, as fast as the peer reads. (loop)
final class StoredFetch: FetchPublisherDelegate {
    private let publisher: FetchPublisher
    private let parts: [WrittenObjects.Part]
    private var next = 0
    private let onEnd: () -> Void
    /// A publisher does not keep its delegate, and the writer of the track may go before the fetch is over.
    private var keptAlive: StoredFetch?

    /// `onEnd` is called once, when the fetch is over.
    init(_ publisher: FetchPublisher, _ parts: [WrittenObjects.Part], onEnd: @escaping () -> Void) {
        self.publisher = publisher
        self.parts = parts
        self.onEnd = onEnd
    }

    /// Begins to send. It lives until the fetch is over.
    func start() {
        self.keptAlive = self
        self.publisher.delegate = self
        self.send()
    }

    /// Sends as much as there is room for.
    private func send() {
        while self.next < self.parts.count, !self.publisher.isEnded, !self.publisher.isAboveHighWatermark {
            let part = self.parts[self.next]
            self.next += 1
            switch part {
            case .object(let header, let payload):
                self.publisher.beginObject(header)
                if !payload.isEmpty {
                    self.publisher.receive(payload: payload)
                }
            case .forgotten(let location):
                self.publisher.endRange(.unknown, through: location)
            }
        }
        if self.next == self.parts.count {
            self.publisher.finish()
        }
    }

    func fetchPublisherDidDrain(_ publisher: FetchPublisher) {
        self.send()
    }

    func fetchPublisher(_ publisher: FetchPublisher, didEnd end: FetchPublisherEnd) {
        self.keptAlive = nil
        self.onEnd()
    }
}
