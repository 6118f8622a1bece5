// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport

/// Passes on every second group, and shouts. A middle box is a consumer in front of another one.
final class Shouting: TrackConsumer {
    private let next: any TrackConsumer

    init(to next: any TrackConsumer) {
        self.next = next
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        guard subgroup.group.isMultiple(of: 2), let consumer = self.next.beginSubgroup(subgroup) else { return nil }
        return ShoutingSubgroup(to: consumer)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.next.receive(datagram, payload: payload)
    }

    func trackEnded(_ end: TrackEnd) {
        self.next.trackEnded(end)
    }
}

/// Changes the payload of a subgroup as it passes: as many bytes, so that the header stays right.
final class ShoutingSubgroup: SubgroupConsumer {
    private let next: any SubgroupConsumer

    init(to next: any SubgroupConsumer) {
        self.next = next
    }

    func beginObject(_ object: ObjectHeader) { self.next.beginObject(object) }
    func receive(payload: Bytes) {
        self.next.receive(payload: Bytes(payload.array.map { (97...122).contains($0) ? $0 - 32 : $0 }))
    }
    func finish() { self.next.finish() }
    func reset(_ code: StreamResetCode) { self.next.reset(code) }
}

@Suite("A filter between two sessions")
struct FilterTests {
    @Test("Consumers are chained: what one session receives, the other one sends, changed", arguments: Variant.all)
    func chained(variant: Variant) throws {
        // The origin's publisher → our subscription → the filter → our publisher → a subscriber.
        let (upstream, downstream) = (Harness.established(variant), Harness.established(variant))
        let consumer = CollectingConsumer()
        let (_, publisher) = try downstream.subscribe(consumer: consumer)
        let accepted = Box<TrackPublisher>()
        upstream.publisherHandler.onSubscribe = { accepted.value = $0.accept(largest: nil) }
        let request = SubscribeRequest(track: Harness.track)
        upstream.subscriber.subscribe(request, consumer: Shouting(to: publisher)) { _ in }
        upstream.run()
        let origin = try #require(accepted.value)
        for group in 0..<4 {
            origin.send(group: UInt64(group), [Array("group \(group)".utf8), Array("end".utf8)])
        }
        origin.end()
        upstream.run()
        downstream.run()
        #expect(
            consumer.contents.map { String(decoding: $0.payload, as: UTF8.self) } == [
                "GROUP 0", "END", "GROUP 2", "END",
            ]
        )
        #expect(consumer.ends.map(\.status) == [.trackEnded])
    }
}
