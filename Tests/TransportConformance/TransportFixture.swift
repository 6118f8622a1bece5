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
