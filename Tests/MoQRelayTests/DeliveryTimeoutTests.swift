// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Delivery timeouts in a relay", .timeLimit(.minutes(2)))
struct DeliveryTimeoutTests {
    @Test("A subscriber behind a slow link loses what is late, alone", arguments: DraftPair.all)
    func slow(_ drafts: DraftPair) throws {
        for isOfTrack in [false, true] {
            let world = RelayWorld()
            let publisher = world.connect(drafts.publisher)
            if isOfTrack {
                publisher.properties = try PropertyList([
                    try #require(KeyValuePair(type: PropertyType.objectDeliveryTimeout, integer: 300))
                ])
            }
            _ = publisher.announce("live")
            world.settle()
            let quick = world.connect(drafts.subscriber).subscribe("live")
            world.settle()
            var link = InMemoryLinkConfiguration()
            link.bytesPerSecond = 100_000
            link.congestionWindow = 8_000
            let slow = world.connect(drafts.subscriber, link: link).subscribe(
                FullTrackName(namespace: TrackNamespace(path: "live"), name: "track"),
                parameters: SubscriptionParameters(objectDeliveryTimeout: isOfTrack ? nil : 300)
            )
            world.settle()
            let track = try #require(publisher.tracks.first)
            let stream = try #require(track.open(group: 0))
            stream.send(object: 0, size: 120_000)
            stream.send(object: 1, size: 10)
            stream.finish()
            world.advance(.seconds(2))
            #expect(quick.consumer.completeLocations == locations([(0, 0), (0, 1)]))
            #expect(quick.consumer.streamEnds == [.finished])
            #expect(slow.consumer.streamEnds == [.reset(.deliveryTimeout)])
            #expect(slow.consumer.completeLocations.isEmpty)
            track.send(group: 1, count: 1)
            world.advance(.seconds(2))
            #expect(slow.consumer.completeLocations == locations([(1, 0)]))
            #expect(slow.consumer.ends.isEmpty)
            world.closeAll()
        }
    }
}
