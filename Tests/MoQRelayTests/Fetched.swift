// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// A fetch of a test, and everything that it delivers.
final class Fetched: FetchConsumer {
    enum Event: Equatable {
        case object(Location, subgroup: UInt64?, priority: UInt8, payload: [UInt8])
        case gap(FetchGap, Location)
    }

    var receiver: FetchReceiver?
    var results: [Result<FetchOk, MoQError>] = []
    private(set) var events: [Event] = []
    private(set) var outcomes: [FetchOutcome] = []

    func beginObject(_ object: FetchObjectHeader) {
        self.events.append(
            .object(
                object.location,
                subgroup: object.subgroupID,
                priority: object.publisherPriority,
                payload: []
            )
        )
    }

    func receive(payload: Bytes) {
        guard case .object(let location, let subgroup, let priority, var bytes) = self.events.last else {
            return
        }
        payload.append(to: &bytes)
        self.events[self.events.count - 1] = .object(
            location,
            subgroup: subgroup,
            priority: priority,
            payload: bytes
        )
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        self.events.append(.gap(gap, location))
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        self.outcomes.append(outcome)
    }

    /// The one answer, if it was FETCH_OK.
    var answer: FetchOk? {
        guard self.results.count == 1, case .success(let answer) = self.results[0] else {
            return nil
        }
        return answer
    }

    /// The code of the one answer, if it was REQUEST_ERROR.
    var refusal: RequestErrorCode? {
        guard self.results.count == 1, case .failure(let error) = self.results[0] else {
            return nil
        }
        return error.requestError
    }

    /// Where the objects are that came.
    var locations: [Location] {
        self.events.compactMap { event in
            if case .object(let location, _, _, _) = event { location } else { nil }
        }
    }

    var gaps: [Event] {
        self.events.filter { event in
            if case .gap = event { true } else { false }
        }
    }
}

extension FetchPublisher {
    /// Sends a whole object of subgroup 0 with so many bytes, each of which is the object's id.
    func send(_ group: UInt64, _ object: UInt64, size: Int = 32) {
        self.beginObject(
            FetchObjectHeader(
                location: Location(group: group, object: object),
                subgroupID: 0,
                publisherPriority: 128,
                payloadLength: UInt64(size)
            )
        )
        if size > 0 {
            self.receive(payload: Bytes([UInt8](repeating: UInt8(truncatingIfNeeded: object), count: size)))
        }
    }
}
