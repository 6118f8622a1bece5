// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PicoQuic

extension MoQPicoQuicServer {
    /// Starts the server, calls `body`, and shuts the server down in order when `body` returns, throws, or is cancelled.
    ///
    /// ```swift
    /// try await server.run(on: .any(port: 4433)) { address in
    ///     print("listening at \(address)")
    ///     try await untilSomethingHappens()
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - drainTimeout: how long clients may take to leave after GOAWAY.
    ///   - body: runs where the caller runs; is told the address with the port that the system chose.
    /// - Returns: what `body` returns, when everything of the server is released.
    /// - Throws: what `body` throws, and what ``start(on:)`` does.
    public func run<Value>(
        on address: QUICAddress,
        drainTimeout: Duration = .seconds(5),
        _ body: (_ address: QUICAddress) async throws -> Value
    ) async throws -> Value {
        let bound = try await self.start(on: address)
        do {
            let value = try await body(bound)
            await self.shutDown(drainTimeout: drainTimeout)
            return value
        } catch {
            await self.shutDown(drainTimeout: drainTimeout)
            throw error
        }
    }

    /// Serves until the task is cancelled or somebody stops the server, and then shuts it down in order.
    ///
    /// - Parameter drainTimeout: how long clients may take to leave after GOAWAY.
    /// - Throws: what ``start(on:)`` and ``waitUntilStopped()`` do. Cancellation is not an error.
    public func run(on address: QUICAddress, drainTimeout: Duration = .seconds(5)) async throws(QUICError) {
        try await self.start(on: address)
        do {
            try await self.waitUntilStopped()
        } catch {
            await self.stop()
            throw error
        }
        await self.shutDown(drainTimeout: drainTimeout)
    }
}
