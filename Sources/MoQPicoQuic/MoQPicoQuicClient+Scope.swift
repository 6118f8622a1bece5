// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
public import PacketLoop
import PicoQuic

extension MoQPicoQuicClient {
    /// Connects to a server, calls `body`, and closes the connection when `body` returns, throws, or is cancelled.
    ///
    /// ```swift
    /// let bytes = try await MoQPicoQuicClient.withConnection(to: url, makeHandler: { MyHandler(loop: $0) }) { client in
    ///     try await client.withSession { session in … }
    ///     …
    /// }
    /// ```
    ///
    /// - Parameter body: runs where the caller runs.
    /// - Returns: what `body` returns, when everything of the connection is released.
    /// - Throws: what `body` throws, and what ``connect(to:configuration:sessionConfiguration:timeout:makeHandler:)`` does.
    public static func withConnection<Value>(
        to url: MoQURL,
        configuration: MoQEndpointConfiguration = MoQEndpointConfiguration(),
        sessionConfiguration: MoQSessionConfiguration = MoQSessionConfiguration(),
        timeout: Duration = .seconds(4),
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in RefusingHandler() },
        _ body: (_ client: MoQPicoQuicClient) async throws -> Value
    ) async throws -> Value {
        let client = try await self.connect(
            to: url,
            configuration: configuration,
            sessionConfiguration: sessionConfiguration,
            timeout: timeout,
            makeHandler: makeHandler
        )
        return try await client.whileOpen(body)
    }

    /// The same with a server in this process; see
    /// ``connect(to:shard:configuration:sessionConfiguration:makeHandler:)``.
    public static func withConnection<Value>(
        to server: MoQPicoQuicServer,
        shard: Int = 0,
        configuration: MoQEndpointConfiguration = MoQEndpointConfiguration(),
        sessionConfiguration: MoQSessionConfiguration = MoQSessionConfiguration(),
        makeHandler: @escaping @Sendable (PacketLoop) -> any MoQSessionHandler = { _ in RefusingHandler() },
        _ body: (_ client: MoQPicoQuicClient) async throws -> Value
    ) async throws -> Value {
        let client = try await self.connect(
            to: server,
            shard: shard,
            configuration: configuration,
            sessionConfiguration: sessionConfiguration,
            makeHandler: makeHandler
        )
        return try await client.whileOpen(body)
    }

    private func whileOpen<Value>(_ body: (MoQPicoQuicClient) async throws -> Value) async throws -> Value {
        do {
            let value = try await body(self)
            await self.close()
            return value
        } catch {
            await self.close()
            throw error
        }
    }
}
