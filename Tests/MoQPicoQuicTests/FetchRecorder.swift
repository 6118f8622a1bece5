// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// An object that arrived whole.
struct ReceivedObject: Hashable {
    var location: Location
    var payload: [UInt8]
}

/// Notes what a fetch delivers.
final class FetchRecorder: FetchConsumer {
    private let journal: Journal
    private var location = Location(group: 0, object: 0)
    private var payload: [UInt8] = []
    private var missing: UInt64 = 0

    init(journal: Journal) {
        self.journal = journal
    }

    func beginObject(_ object: FetchObjectHeader) {
        self.location = object.location
        self.payload = []
        self.missing = object.payloadLength
        self.noteIfWhole()
    }

    func receive(payload: Bytes) {
        payload.append(to: &self.payload)
        self.missing -= UInt64(payload.count)
        self.noteIfWhole()
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        self.journal.note { $0.fetchGaps += 1 }
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        self.journal.note { $0.fetchOutcomes.append(outcome) }
    }

    private func noteIfWhole() {
        guard self.missing == 0 else {
            return
        }
        let object = ReceivedObject(location: self.location, payload: self.payload)
        self.journal.note { $0.fetched.append(object) }
    }
}

/// Notes what a subscription delivers.
final class LiveRecorder: TrackConsumer {
    private final class Stream: SubgroupConsumer {
        let group: UInt64
        let journal: Journal
        private var object: UInt64 = 0
        private var payload: [UInt8] = []
        private var missing: UInt64 = 0

        init(group: UInt64, journal: Journal) {
            self.group = group
            self.journal = journal
        }

        func beginObject(_ object: ObjectHeader) {
            self.object = object.objectID
            self.payload = []
            self.missing = object.payloadLength
        }

        func receive(payload: Bytes) {
            payload.append(to: &self.payload)
            self.missing -= UInt64(payload.count)
            guard self.missing == 0 else {
                return
            }
            let location = Location(group: self.group, object: self.object)
            let object = ReceivedObject(location: location, payload: self.payload)
            self.journal.note { $0.live.append(object) }
        }

        func finish() {}

        func reset(_ code: StreamResetCode) {
            self.journal.note { $0.resets += 1 }
        }
    }

    private let journal: Journal

    init(journal: Journal) {
        self.journal = journal
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        Stream(group: subgroup.group, journal: self.journal)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {}

    func trackEnded(_ end: TrackEnd) {
        self.journal.note { $0.trackEnds += 1 }
    }
}
