// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

/// A connected pair of sessions that tests reach from outside their loops.
protocol TransportFixture: Sendable {
    /// Runs a step on the loop of one side.
    func on<R: Sendable>(_ side: WebTransportRole, _ body: @escaping @Sendable (Peer) throws -> R) async throws -> R

    /// Lets things happen until a condition holds on the loop of one side; throws when it takes too long.
    func until(
        _ side: WebTransportRole,
        _ what: String,
        sourceLocation: SourceLocation,
        _ condition: @escaping @Sendable (Peer) -> Bool
    ) async throws

    /// Releases what the pair needs.
    func finish() async
}

extension TransportFixture {
    /// Runs a step on the client's loop.
    func client<R: Sendable>(_ body: @escaping @Sendable (Peer) throws -> R) async throws -> R {
        try await self.on(.client, body)
    }

    /// Runs a step on the server's loop.
    func server<R: Sendable>(_ body: @escaping @Sendable (Peer) throws -> R) async throws -> R {
        try await self.on(.server, body)
    }

    /// Waits for a condition; the location is the caller's.
    func until(
        _ side: WebTransportRole,
        _ what: String,
        at sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: @escaping @Sendable (Peer) -> Bool
    ) async throws {
        try await self.until(side, what, sourceLocation: sourceLocation, condition)
    }
}

/// A condition that did not come true.
struct ConditionNotMet: Error, CustomStringConvertible {
    var what: String
    var description: String { "did not happen: \(self.what)" }
}

/// What both sides of a pair are configured with.
struct PairConfiguration: Sendable {
    var client = WebTransportConfiguration()
    var server = WebTransportConfiguration()
    /// Whether the sessions' handlers are set from the start.
    var setsHandlers = true
}

/// The transports that the suite runs over.
enum TransportKind: String, CaseIterable, CustomTestStringConvertible {
    case inMemory = "in memory"
    case lossy = "in memory, one packet in ten lost"
    case rawQUIC = "raw QUIC on loopback"

    var testDescription: String { self.rawValue }

    /// Whether datagrams may get lost.
    var losesDatagrams: Bool { self == .lossy }

    /// Runs a test on a new pair.
    func withPair(
        _ configuration: PairConfiguration = PairConfiguration(),
        _ body: (any TransportFixture) async throws -> Void
    ) async throws {
        let fixture: any TransportFixture =
            switch self {
            case .inMemory: InMemoryFixture(configuration, loss: 0)
            case .lossy: InMemoryFixture(configuration, loss: 0.1)
            case .rawQUIC: try await PicoQuicFixture(configuration)
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

/// Bytes that differ from place to place and from seed to seed.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}
