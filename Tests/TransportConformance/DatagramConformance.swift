// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Transports carry datagrams", .timeLimit(.minutes(1)))
struct DatagramConformance {
    @Test("datagrams arrive whole, in both directions", arguments: TransportKind.allCases)
    func whole(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            for side in [WebTransportRole.client, .server] {
                try await pair.on(side) { peer in
                    #expect(peer.session.maximumDatagramSize >= 1_000)
                    for size in [1, 100, 1_000] {
                        try peer.session.sendDatagram(Bytes(pattern(size, seed: UInt64(size))))
                    }
                }
            }
            let all = [1, 100, 1_000].map { pattern($0, seed: UInt64($0)) }
            for side in [WebTransportRole.client, .server] {
                if kind.losesDatagrams {
                    try await pair.until(side, "some datagram") { !$0.datagrams.isEmpty }
                    try await pair.on(side) { peer in
                        for datagram in peer.datagrams { #expect(all.contains(datagram)) }
                    }
                } else {
                    try await pair.until(side, "all datagrams") { $0.datagrams.count == 3 }
                    try await pair.on(side) { #expect($0.datagrams == all) }
                }
            }
        }
    }

    @Test("a datagram that is too large is refused with the limit", arguments: TransportKind.allCases)
    func oversize(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                let limit = peer.session.maximumDatagramSize
                do throws(WebTransportError) {
                    try peer.session.sendDatagram(Bytes(pattern(limit + 1)))
                    Issue.record("an oversize datagram was taken")
                } catch {
                    #expect(error.code == .datagramTooLarge)
                    #expect(error.limit == limit)
                }
                for _ in 0..<5 { try peer.session.sendDatagram(Bytes(utf8: "small")) }
            }
            try await pair.until(.server, "a small one") { $0.datagrams.contains(Array("small".utf8)) }
        }
    }

    @Test("no datagram may be larger than the queue", arguments: TransportKind.allCases)
    func oversizeForQueue(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.client.datagramQueueBytes = 100
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                #expect(peer.session.maximumDatagramSize == 100)
                try peer.session.sendDatagram(Bytes(pattern(100)))
                let error = #expect(throws: WebTransportError.self) {
                    try peer.session.sendDatagram(Bytes(pattern(101)))
                }
                #expect(error?.limit == 100)
            }
        }
    }

    @Test("a burst of a thousand drains without further calls", arguments: TransportKind.allCases)
    func burst(kind: TransportKind) async throws {
        let count = 1_000
        var configuration = PairConfiguration()
        configuration.client.datagramQueueCount = count
        configuration.client.datagramMaximumAge = .seconds(20)
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                for number in 0..<count {
                    // One that is too large is refused in between, and is in nobody's way.
                    if number == count / 2 {
                        #expect(throws: WebTransportError.self) {
                            try peer.session.sendDatagram(Bytes(pattern(peer.session.maximumDatagramSize + 1)))
                        }
                    }
                    try peer.session.sendDatagram(Bytes([UInt8(number >> 8), UInt8(number & 255)] + pattern(300)))
                }
            }
            try await pair.until(.client, "an empty queue") { $0.session.statistics.datagramsQueued == 0 }
            try await pair.client { peer in
                let statistics = peer.session.statistics
                #expect(statistics.datagramsSent == UInt64(count))
                #expect(statistics.datagramsDroppedFull == 0)
                #expect(statistics.datagramsDroppedLate == 0)
                #expect(statistics.datagramsDroppedOversize == 0)
            }
            if kind.losesDatagrams {
                try await pair.until(.server, "most") { $0.datagrams.count > count / 2 }
            } else {
                try await pair.until(.server, "all") { $0.datagrams.count == count }
                try await pair.server { peer in
                    #expect(peer.datagrams.map { Int($0[0]) << 8 | Int($0[1]) } == Array(0..<count))
                }
            }
        }
    }

    @Test("what waits at the end of the session is counted as dropped", arguments: TransportKind.allCases)
    func closed(kind: TransportKind) async throws {
        try await kind.withPair { pair in
            try await pair.client { peer in
                for _ in 0..<10 { try peer.session.sendDatagram(Bytes(pattern(100))) }
                peer.session.close(code: 0, reason: "")
                let statistics = peer.session.statistics
                #expect(statistics.datagramsDroppedClosed == 10)
                #expect(statistics.datagramsQueued == 0)
            }
        }
    }

    @Test("a flood is bounded: the oldest go, and are counted", arguments: TransportKind.allCases)
    func flood(kind: TransportKind) async throws {
        var configuration = PairConfiguration()
        configuration.client.datagramQueueCount = 10
        try await kind.withPair(configuration) { pair in
            try await pair.client { peer in
                for number in 0..<1_000 {
                    try peer.session.sendDatagram(Bytes([UInt8(number >> 8), UInt8(number & 255)]))
                    #expect(peer.session.statistics.datagramsQueued <= 10)
                }
                #expect(peer.session.statistics.datagramsDroppedFull == 990)
            }
            try await pair.until(.client, "an empty queue") { $0.session.statistics.datagramsQueued == 0 }
            guard !kind.losesDatagrams else { return }
            try await pair.until(.server, "the newest") { $0.datagrams.count == 10 }
            try await pair.server { #expect($0.datagrams.first == [990 >> 8, 990 & 255]) }
        }
    }
}
