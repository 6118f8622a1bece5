// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// Keeps everything that a fetch delivers, in order.
final class CollectingFetch: FetchConsumer {
    enum Event: Equatable {
        case object(FetchObjectHeader, [UInt8])
        case gap(FetchGap, Location)
    }

    var responses: [Result<FetchOk, MoQError>] = []
    var events: [Event] = []
    var outcomes: [FetchOutcome] = []
    var onObject: (() -> Void)?
    var onPayload: (() -> Void)?
    var onEnd: (() -> Void)?

    func beginObject(_ object: FetchObjectHeader) {
        self.events.append(.object(object, []))
        self.onObject?()
    }

    func receive(payload: Bytes) {
        guard case .object(let header, var bytes) = self.events.last else {
            return
        }
        payload.append(to: &bytes)
        self.events[self.events.count - 1] = .object(header, bytes)
        self.onPayload?()
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        self.events.append(.gap(gap, location))
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        self.outcomes.append(outcome)
        self.onEnd?()
    }

    /// Where the objects are that came.
    var locations: [Location] {
        self.events.compactMap { event in
            if case .object(let header, _) = event { header.location } else { nil }
        }
    }
}

/// Writes down what a fetch publisher's delegate is told.
final class RecordingFetchDelegate: FetchPublisherDelegate {
    var drains = 0
    var ends: [FetchPublisherEnd] = []
    var onDrain: ((FetchPublisher) -> Void)?

    func fetchPublisherDidDrain(_ publisher: FetchPublisher) {
        self.drains += 1
        self.onDrain?(publisher)
    }

    func fetchPublisher(_ publisher: FetchPublisher, didEnd end: FetchPublisherEnd) {
        self.ends.append(end)
    }
}

extension FetchConsumer {
    /// Writes a whole object.
    func send(_ group: UInt64, _ object: UInt64, _ payload: [UInt8] = [1, 2, 3]) {
        self.send(.plain(group, object, count: payload.count), payload)
    }

    /// Writes a whole object with this header.
    func send(_ header: FetchObjectHeader, _ payload: [UInt8]) {
        self.beginObject(header)
        if !payload.isEmpty {
            self.receive(payload: Bytes(payload))
        }
    }
}

extension FetchObjectHeader {
    /// The header of an object of subgroup 0.
    static func plain(_ group: UInt64, _ object: UInt64, count: Int = 3) -> FetchObjectHeader {
        FetchObjectHeader(
            location: Location(group: group, object: object),
            subgroupID: 0,
            publisherPriority: 128,
            payloadLength: UInt64(count)
        )
    }
}

extension Harness {
    /// Has every FETCH accepted with this largest location, and `body` write the response.
    func serveFetches(
        largest: Location? = Location(group: 9, object: 9),
        isTrackComplete: Bool = false,
        delegate: RecordingFetchDelegate? = nil,
        _ body: @escaping (FetchPublisher) -> Void
    ) {
        self.publisherHandler.onFetch = { request in
            let publisher = request.accept(largest: largest, isTrackComplete: isTrackComplete)
            publisher.delegate = delegate
            body(publisher)
        }
    }

    /// Fetches a range.
    @discardableResult
    func fetch(
        from start: Location = Location(group: 0, object: 0),
        through end: FetchEnd = .group(9),
        parameters: FetchParameters = FetchParameters(),
        _ consumer: CollectingFetch
    ) -> FetchReceiver {
        self.subscriber.fetch(
            FetchRequest(track: Self.track, from: start, through: end, parameters: parameters),
            consumer: consumer
        ) { consumer.responses.append($0) }
    }
}
