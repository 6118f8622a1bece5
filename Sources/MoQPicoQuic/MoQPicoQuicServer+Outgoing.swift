// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
public import MoQWire
import PacketLoop
public import PicoQuic
public import WebTransport
import WebTransportPicoQuic

extension MoQPicoQuicServer {
    /// Connects to another server, on a loop of this one, so that what the two sessions pass on to each other needs
    /// no other thread. Returns when the connection stands and the session is made.
    ///
    /// The connection leaves by the socket that this server listens at: a server that listens at the loopback address alone
    /// reaches nothing else. The drafts to offer, and how to verify the server, are those of the configuration.
    ///
    /// - Parameters:
    ///   - url: where to. Its authority and path are for the session's setup, which `makeSession` sees to.
    ///   - shard: whose loop; the first one's unless told otherwise.
    ///   - timeout: how long connecting may take.
    ///   - makeSession: called once, on the loop; makes and starts the session, which is closed when the server is stopped,
    ///     or returns nil, and then the connection is closed.
    /// - Throws: `invalidConfiguration` when there is no such shard; what connecting throws (`nameNotResolved`, `unreachable`, `handshakeTimeout`, `certificateRejected`,
    ///   `noCommonProtocol`, `refused`, `handshakeFailed`); `stopped` when the server does not run (any more). Each message
    ///   names the other server.
    public func connect(
        to url: MoQURL,
        shard: Int = 0,
        timeout: Duration = .seconds(4),
        makeSession: @escaping @Sendable (any WebTransportSession, DraftProfile) -> MoQSession?
    ) async throws(QUICError) {
        let home = try self.shard(shard)
        do throws(QUICError) {
            try await home.dial(url, timeout: timeout, makeSession)
        } catch {
            throw MoQPicoQuicClient.inTermsOfDrafts(error, url: url, configuration: self.configuration)
        }
    }
}

extension ServerShard {
    /// Connects to another server.
    fileprivate func dial(
        _ url: MoQURL,
        timeout: Duration,
        _ makeSession: @escaping @Sendable (any WebTransportSession, DraftProfile) -> MoQSession?
    ) async throws(QUICError) {
        let desk = self.desk
        let loop = self.loop
        try await self.endpoint.connect(to: url.host, port: url.port, timeout: timeout) { connection in
            desk.connected(connection, loop: loop, makeSession)
        }
    }
}

extension ServerDesk {
    /// Makes the session of a connection that was opened from here.
    fileprivate func connected(
        _ connection: QUICConnection,
        loop: PacketLoop,
        _ makeSession: (any WebTransportSession, DraftProfile) -> MoQSession?
    ) -> any QUICConnectionDelegate {
        let transport = PicoQuicWebTransport(
            connection: connection,
            loop: loop,
            configuration: self.configuration.transport
        )
        // The server can only have chosen what was offered.
        if let profile = self.configuration.profile(for: connection.applicationProtocol),
            let session = makeSession(transport, profile)
        {
            self.roster.add(session)
        } else {
            // Every draft writes this code alike. Has no effect on a connection that is closed.
            transport.close(code: SessionErrorCode.noError.wireValue(in: .draft18), reason: "not wanted any more")
        }
        return transport
    }
}
