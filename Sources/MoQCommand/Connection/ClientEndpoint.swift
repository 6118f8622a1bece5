// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Logging
internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PacketLoop
internal import PicoQuic
internal import Synchronization

/// A connection to a relay, or to a publisher that listens, whose errors are fit for standard error.
final class ClientEndpoint: Sendable {
    /// What a command has on the loop for its session.
    struct Attachment {
        /// Decides what happens in the session.
        var handler: any MoQSessionHandler
        /// Called on the loop when the connection stands.
        var connected: (MoQSession) -> Void
    }

    private let client: MoQPicoQuicClient

    private init(client: MoQPicoQuicClient) {
        self.client = client
    }

    /// Connects. `attach` is called on the loop, at most once.
    /// - Throws: ``CommandFailure``, naming the server.
    static func connect(
        to url: EndpointURL,
        settings: ClientSettings,
        attach: @escaping @Sendable (PacketLoop) -> Attachment
    ) async throws -> ClientEndpoint {
        let attached = LoopCell<Attachment>()
        do {
            let client = try await MoQPicoQuicClient.connect(
                to: url.url,
                configuration: settings.endpoint,
                sessionConfiguration: settings.session,
                timeout: ClientSettings.connectTimeout
            ) { loop in
                let attachment = attach(loop)
                attached.set(attachment, on: loop)
                return attachment.handler
            }
            Logger(label: "moq.client").debug(
                "connected",
                metadata: [
                    "server": "\(url.authority)", "draft": "\(client.draft.number)", "resumed": "\(client.isResumed)",
                    "early-data": "\(client.earlyData.rawValue)",
                ]
            )
            try await client.withSession { session in
                attached.bound?.value.connected(session)
            }
            return ClientEndpoint(client: client)
        } catch let error as QUICError {
            throw CommandFailure(error.message)
        } catch is PacketLoopError {
            throw CommandFailure("connection to \(url.authority) lost")
        }
    }

    /// What the client has done and what it holds.
    var statistics: MoQEndpointStatistics {
        get async { await self.client.statistics() }
    }

    /// Closes the session and the connection, and waits until that is done.
    func close() async {
        await self.client.close()
    }
}
