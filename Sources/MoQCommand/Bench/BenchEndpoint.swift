// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import PicoQuic
internal import WebTransport
internal import WebTransportPicoQuic

/// An endpoint for measurements below MoQ: streams and nothing else, over real sockets.
final class BenchEndpoint: Sendable {
    /// The application protocol that both sides have to speak.
    private static let applicationProtocol = "moq-bench"

    /// Lets the acceptor know the loop of the endpoint that it was made for.
    private final class LoopReference: Sendable {
        let loop = Locked<PacketLoop?>(nil)
    }

    /// Where everything of the endpoint happens.
    var loop: PacketLoop { self.endpoint.loop }

    private let endpoint: PicoQuicExecutor
    private let bounds: WebTransportConfiguration

    /// Makes a client, or with credentials a server whose sessions go to `accept`, on the loop.
    init(
        bounds: WebTransportConfiguration = WebTransportConfiguration(),
        _ configure: (inout QUICConfiguration) -> Void,
        accept: @escaping @Sendable (PicoQuicWebTransport, PacketLoop) -> Void = { _, _ in }
    ) {
        var configuration = QUICConfiguration(applicationProtocols: [Self.applicationProtocol])
        configure(&configuration)
        configuration.adopt(bounds)
        let reference = LoopReference()
        self.bounds = bounds
        self.endpoint = PicoQuicExecutor(label: "moq-bench", configuration: configuration) { connection in
            guard let loop = reference.loop.withLock({ $0 }) else { return nil }
            let session = PicoQuicWebTransport(connection: connection, loop: loop, configuration: bounds)
            accept(session, loop)
            return session
        }
        let loop = self.endpoint.loop
        reference.loop.withLock { $0 = loop }
    }

    /// Opens the socket.
    /// - Returns: the port.
    func start(on address: QUICAddress = .any(port: 0)) async throws -> UInt16 {
        do throws(QUICError) {
            return try await self.endpoint.start(on: address).port
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Connects; `made` gets the session, on the loop, before anything arrives.
    func connect(
        to host: String,
        port: UInt16,
        made: @escaping @Sendable (PicoQuicWebTransport, PacketLoop) -> Void
    ) async throws {
        let loop = self.loop
        let bounds = self.bounds
        do throws(QUICError) {
            try await self.endpoint.connect(to: host, port: port) { connection in
                let session = PicoQuicWebTransport(connection: connection, loop: loop, configuration: bounds)
                made(session, loop)
                return session
            }
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Closes everything; the peers hear of it.
    func stop() async {
        await self.endpoint.stop()
    }
}
