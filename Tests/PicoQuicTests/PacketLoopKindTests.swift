// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

@testable import PicoQuic

@Suite("Which packet loop an endpoint has")
struct PacketLoopKindTests {
    @Test("Nothing in the environment leaves the choice to the system", arguments: [nil, ""])
    func usual(value: String?) {
        let choice = PacketLoopKind.choose(value)
        #if os(Linux)
        #expect(choice.kind == .epoll)
        #else
        #expect(choice.kind == .picoquic)
        #endif
        #expect(choice.complaint == nil)
    }

    @Test("The environment can name either", arguments: PacketLoopKind.available)
    func named(kind: PacketLoopKind) {
        let choice = PacketLoopKind.choose(kind.rawValue)
        #expect(choice.kind == kind)
        #expect(choice.complaint == nil)
    }

    @Test("A name that is none is an error that lists them")
    func unknown() {
        let complaint = PacketLoopKind.choose("kqueue").complaint
        #expect(
            complaint == "unknown packet loop 'kqueue' in MOQINGBIRD_LOOP, there are picoquic, epoll"
        )
    }
}
