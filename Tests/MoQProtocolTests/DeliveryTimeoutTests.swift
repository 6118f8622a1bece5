// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Delivery timeouts")
struct DeliveryTimeoutTests {
    @Test("The smaller of what subscriber and publisher want counts, and 0 means none")
    func smaller() throws {
        func timeouts(_ subscriber: (UInt64?, UInt64?), _ track: [(UInt64, UInt64)]) throws -> DeliveryTimeouts {
            DeliveryTimeouts(
                subscriber: SubscriptionParameters(
                    objectDeliveryTimeout: subscriber.0,
                    subgroupDeliveryTimeout: subscriber.1
                ),
                track: try PropertyList(try track.map { try #require(KeyValuePair(type: $0.0, integer: $0.1)) })
            )
        }
        #expect(try timeouts((nil, nil), []) == DeliveryTimeouts())
        #expect(try timeouts((0, 0), [(2, 0), (6, 0)]) == DeliveryTimeouts())
        #expect(try timeouts((nil, nil), []).datagram == nil)
        let one = try timeouts((300, 0), [(2, 200), (6, 900)])
        #expect(one.object == .milliseconds(200))
        #expect(one.subgroup == .milliseconds(900))
        #expect(one.datagram == .milliseconds(200))
        let other = try timeouts((0, 70), [(2, 100)])
        #expect(other.object == .milliseconds(100))
        #expect(other.subgroup == .milliseconds(70))
        #expect(other.datagram == .milliseconds(70))
        #expect(try timeouts((nil, 5), []).datagram == .milliseconds(5))
        #expect(try timeouts((.max, nil), []).object == .milliseconds(Int64.max))
    }

    @Test("Objects that wait are remembered in steps, none of them older than it is")
    func waiting() {
        func at(_ milliseconds: UInt64) -> MonotonicInstant {
            MonotonicInstant(microseconds: milliseconds * 1_000)
        }
        var waiting = WaitingObjects()
        #expect(waiting.oldest(taken: 0) == nil)
        for index in 0..<100 as Range<UInt64> {
            waiting.objectBegan(at: index * 10, now: at(index), spacing: .milliseconds(20))
        }
        #expect(waiting.count == 6)
        #expect(waiting.oldest(taken: 0) == at(0))
        // The first one is on its way; the second is not remembered.
        #expect(waiting.oldest(taken: 1) == at(20))
        #expect(waiting.oldest(taken: 200) == at(20))
        #expect(waiting.oldest(taken: 201) == at(40))
        // The last one is always.
        #expect(waiting.oldest(taken: 985) == at(99))
        #expect(waiting.oldest(taken: 990) == at(99))
        #expect(waiting.oldest(taken: 991) == nil)
        #expect(waiting.count == 0)
    }
}
