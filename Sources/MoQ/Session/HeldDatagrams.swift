// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// Keeps the datagrams that overtook the answer to the SUBSCRIBE which they belong to (draft-18 §11.3.1). Later ones than
/// there is room for are lost, as datagrams may be.
struct HeldDatagrams {
    /// One object.
    struct Entry {
        var header: ObjectDatagram
        var payload: Bytes
    }

    /// How many are kept; each is as large as a packet at the most. Half a second of a track with 1,000 objects a second, which
    /// an answer needs that is lost and sent again.
    static let capacity = 512

    private var entries: [Entry] = []

    /// Whether none is kept.
    var isEmpty: Bool {
        self.entries.isEmpty
    }

    /// Whether there is room for another one.
    var hasRoom: Bool {
        self.entries.count < Self.capacity
    }

    /// Keeps a datagram.
    mutating func append(_ header: ObjectDatagram, _ payload: RawSpan) {
        self.entries.append(Entry(header: header, payload: Bytes(copying: payload)))
    }

    /// Hands out the datagrams of an alias, in the order in which they came.
    mutating func take(_ alias: TrackAlias) -> [Entry] {
        guard !self.entries.isEmpty else {
            return []
        }
        let taken = self.entries.filter { $0.header.trackAlias == alias }
        self.entries.removeAll { $0.header.trackAlias == alias }
        return taken
    }

    /// Forgets all, and returns how many there were.
    mutating func removeAll() -> Int {
        let count = self.entries.count
        self.entries = []
        return count
    }
}
