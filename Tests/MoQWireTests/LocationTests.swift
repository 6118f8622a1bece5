// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@Suite("Location")
struct LocationTests {
    @Test("locations are ordered by group first, then by object")
    func ordering() {
        #expect(Location(group: 1, object: 9) < Location(group: 2, object: 0))
        #expect(Location(group: 2, object: 0) < Location(group: 2, object: 1))
    }
}
