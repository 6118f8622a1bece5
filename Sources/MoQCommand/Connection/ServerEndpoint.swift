// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import WebTransport

/// A server whose errors are fit for standard error, and that says where it listens.
final class ServerEndpoint: Sendable {
    private let server: MoQPicoQuicServer
    private let settings: ServerSettings
    private let port: UInt16

    private init(server: MoQPicoQuicServer, settings: ServerSettings, port: UInt16) {
        self.server = server
        self.settings = settings
        self.port = port
    }

    /// Listens. `prepare` is called on each loop, one after the other, and then `join`, before any client is accepted.
    /// - Throws: ``CommandFailure``, naming the address or the file.
    static func start(
        _ settings: ServerSettings,
        prepare: @escaping @Sendable (PacketLoop) -> Void,
        join: (@Sendable () async throws -> Void)? = nil,
        accept: @escaping @Sendable (any WebTransportSession, DraftProfile, PacketLoop) -> MoQSession?
    ) async throws -> ServerEndpoint {
        let server = MoQPicoQuicServer(configuration: settings.endpoint, shards: settings.shards) { loop in
            prepare(loop)
            return { transport, profile in accept(transport, profile, loop) }
        }
        let host = try settings.address.numericHost()
        do throws(QUICError) {
            let address = try QUICAddress(host: host, port: settings.address.port)
            let bound = try await server.start(on: address, prepare: join)
            return ServerEndpoint(server: server, settings: settings, port: bound.port)
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Prints the fingerprint, if the certificate was made here, and the address.
    func announce() {
        if let fingerprint = self.settings.fingerprint {
            StandardStreams.say("fingerprint sha-256 \(fingerprint)")
        }
        StandardStreams.say(
            "listening moqt://\(ListenAddress.authority(host: self.settings.address.host, port: self.port))"
        )
    }

    /// What the server has done and what it holds.
    var statistics: MoQEndpointStatistics {
        get async { await self.server.statistics() }
    }

    /// Calls with what happened when the server's network fails by itself; not when it is stopped.
    func onFailure(_ action: @escaping @Sendable (CommandFailure) -> Void) {
        Task {
            do throws(QUICError) {
                try await self.server.waitUntilStopped()
            } catch {
                action(CommandFailure(error.message))
            }
        }
    }

    /// Connects to another server on the loop of this one. `makeSession` is called on the loop.
    /// - Throws: ``CommandFailure``, naming the other server.
    func connect(
        to url: EndpointURL,
        makeSession: @escaping @Sendable (any WebTransportSession, DraftProfile) -> MoQSession?
    ) async throws(CommandFailure) {
        do throws(QUICError) {
            try await self.server.connect(
                to: url.url,
                timeout: ClientSettings.connectTimeout,
                makeSession: makeSession
            )
        } catch {
            throw CommandFailure(error.message)
        }
    }

    /// Closes everything; every peer hears of it.
    func stop() async {
        await self.server.stop()
    }
}
