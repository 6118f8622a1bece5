// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PicoQuic
import Testing
import WebTransport

/// The transports that the suite runs over.
enum TransportKind: String, CaseIterable, CustomTestStringConvertible {
    case inMemory = "in memory"
    case lossy = "in memory, one packet in ten lost"
    case bridge = "between two loops of the process"
    case rawQUIC = "raw QUIC on loopback, by picoquic's packet loop"
    #if os(Linux)
    case rawQUICByEpoll = "raw QUIC on loopback, by our packet loop, of which two share the port"
    #endif

    var testDescription: String { self.rawValue }

    /// Whether datagrams may get lost.
    var losesDatagrams: Bool { self == .lossy }

    /// The transports on which everything arrives in the order it was sent.
    static let lossless = Self.allCases.filter { !$0.losesDatagrams }

    /// The transports of those whose path has only so much room at a time.
    static let narrow = Self.lossless.filter { $0 != .bridge }

    /// Whether the peer is told that a session drains. QUIC itself has no signal for it.
    var signalsDrain: Bool { self == .inMemory || self == .lossy || self == .bridge }

    /// Runs a test on a new pair.
    func withPair(
        _ configuration: PairConfiguration = PairConfiguration(),
        _ body: (any TransportFixture) async throws -> Void
    ) async throws {
        let fixture: any TransportFixture =
            switch self {
            case .inMemory: InMemoryFixture(configuration, loss: 0)
            case .lossy: InMemoryFixture(configuration, loss: 0.1)
            case .bridge: LoopBridgeFixture(configuration)
            case .rawQUIC: try await PicoQuicFixture(configuration, packetLoop: .picoquic)
            #if os(Linux)
            case .rawQUICByEpoll: try await PicoQuicFixture(configuration, packetLoop: .epoll, loops: 2)
            #endif
            }
        do {
            try await body(fixture)
        } catch {
            await fixture.finish()
            throw error
        }
        await fixture.finish()
    }
}
