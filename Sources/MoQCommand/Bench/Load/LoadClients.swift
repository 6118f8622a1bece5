// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import WebTransport
internal import WebTransportPicoQuic

/// Any number of connections to one server, over one socket and on one loop with one thread.
final class LoadClients: Sendable {
    /// Makes the session of a connection, on the loop.
    typealias Maker = @Sendable (any WebTransportSession, DraftProfile) -> Void

    /// How many handshakes may be under way at a time.
    private static let handshakesAtOnce = 32

    private let endpoint: PicoQuicExecutor
    private let server: LoadServer

    /// Where everything happens.
    var loop: PacketLoop { self.endpoint.loop }

    /// Opens the socket.
    init(label: String, to server: LoadServer) async throws(CommandFailure) {
        self.server = server
        self.endpoint = PicoQuicExecutor(label: label, configuration: server.quic)
        do throws(QUICError) {
            try await self.endpoint.start()
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Connects once more. `made` gets the connection, on the loop, before anything arrives on it.
    /// - Throws: ``CommandFailure``, naming the server.
    func connect(_ made: @escaping Maker) async throws(CommandFailure) {
        let loop = self.loop
        let server = self.server
        do throws(QUICError) {
            try await self.endpoint.connect(
                to: server.host,
                port: server.port,
                timeout: ClientSettings.connectTimeout
            ) { connection in
                let transport = PicoQuicWebTransport(connection: connection, loop: loop)
                // The server can only have chosen what was offered.
                if let profile = server.profile(for: connection.applicationProtocol) {
                    made(transport, profile)
                }
                return transport
            }
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Connects so many times, several at a time.
    /// - Parameter perSecond: how many begin per second; nil for as many as the server takes.
    /// - Throws: ``CommandFailure``, of the first that cannot connect.
    func connect(_ count: Int, perSecond: Double?, _ made: @escaping Maker) async throws {
        let began = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                try Task.checkCancellation()
                if number >= Self.handshakesAtOnce { try await group.next() }
                if let perSecond {
                    try await Task.sleep(until: began.advanced(by: .seconds(Double(number) / perSecond)))
                }
                group.addTask { try await self.connect(made) }
            }
            try await group.waitForAll()
        }
    }

    /// Closes everything; the server hears of it.
    func stop() async {
        await self.endpoint.stop()
    }
}
