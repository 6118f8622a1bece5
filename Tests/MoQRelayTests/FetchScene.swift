// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing

/// A world with a publisher of `live`, a subscriber of it, and somebody who fetches.
struct FetchScene {
    let world: RelayWorld
    let publisher: TestClient
    let viewer: TestClient
    let late: TestClient
    let first: Subscribed

    init(
        _ drafts: DraftPair,
        configuration: MoQRelayConfiguration = MoQRelayConfiguration(),
        properties: PropertyList = PropertyList()
    ) {
        self.world = RelayWorld(configuration)
        self.publisher = self.world.connect(drafts.publisher)
        self.publisher.properties = properties
        _ = self.publisher.announce("live")
        self.world.settle()
        self.viewer = self.world.connect(drafts.subscriber)
        self.first = self.viewer.subscribe("live")
        self.late = self.world.connect(drafts.subscriber)
        self.world.settle()
    }

    func track() throws -> TestTrack {
        try #require(self.publisher.tracks.first)
    }

    /// Sends a whole group that is said to be complete.
    func send(group: UInt64, count: UInt64, size: Int = 32) throws {
        let stream = try #require(try self.track().open(group: group, priority: 9, containsEndOfGroup: true))
        for object in 0..<count {
            stream.send(object: object, size: size)
        }
        stream.finish()
        self.world.settle()
    }
}

/// Locations from pairs of a group and an object.
func locations(_ pairs: [(UInt64, UInt64)]) -> [Location] {
    pairs.map { Location(group: $0.0, object: $0.1) }
}

/// Writes a response whenever there is room.
final class FetchPump: FetchPublisherDelegate {
    let write: (FetchPublisher) -> Void
    private(set) var ends: [FetchPublisherEnd] = []

    init(_ write: @escaping (FetchPublisher) -> Void) {
        self.write = write
    }

    func fetchPublisherDidDrain(_ publisher: FetchPublisher) {
        self.write(publisher)
    }

    func fetchPublisher(_ publisher: FetchPublisher, didEnd end: FetchPublisherEnd) {
        self.ends.append(end)
    }
}
