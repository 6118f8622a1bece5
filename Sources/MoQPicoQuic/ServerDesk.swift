// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Logging
import MoQ
import MoQWire
import PacketLoop
import PicoQuic
import WebTransport
import WebTransportInMemory
import WebTransportPicoQuic

/// Where the connections of a shard arrive, whichever backend brings them. (loop)
///
/// Unchecked because it is touched on the loop only; `loop` itself is written once, before the loop can run.
final class ServerDesk: @unchecked Sendable {
    /// The shard's loop.
    weak var loop: PacketLoop?

    /// The sessions that the acceptor has made.
    let roster = SessionRoster()

    /// How many clients of this process there have been.
    private(set) var linksMade: UInt64 = 0

    let configuration: MoQEndpointConfiguration
    private let log: Logger
    private var acceptor: MoQPicoQuicServer.Acceptor?
    private var takesLinks = false
    private var links: [ObjectIdentifier: InMemoryLink] = [:]

    init(configuration: MoQEndpointConfiguration, log: Logger) {
        self.configuration = configuration
        self.log = log
    }

    /// Begins to take connections, from clients of this process as well if `takesLinks` says so.
    func open(_ acceptor: @escaping MoQPicoQuicServer.Acceptor, takesLinks: Bool) {
        self.acceptor = acceptor
        self.takesLinks = takesLinks
    }

    /// Sends GOAWAY to those that have not got it, which includes those that were not set up when it was tried before.
    /// - Returns: whether no session is open.
    func askToLeave(within timeout: Duration) -> Bool {
        let open = self.roster.open
        for session in open {
            session.sendGoaway(timeout: timeout)
        }
        return open.isEmpty
    }

    /// Closes every session, and takes no connection any more.
    func close(_ code: SessionErrorCode, reason: String) {
        self.takesLinks = false
        for session in self.roster.open {
            session.close(code, reason: reason)
        }
        self.acceptor = nil
    }

    /// The network is gone, and with it soon the loop: clients of this process are told, as those of the network are.
    func fail(_ reason: String) {
        self.takesLinks = false
        self.acceptor = nil
        for link in Array(self.links.values) {
            link.sever(.aborted, reason: reason)
        }
    }

    // MARK: - Backends

    /// Hands a connection to the acceptor. The one place that every backend comes to.
    private func admit(_ transport: any WebTransportSession, _ profile: DraftProfile) {
        if let session = self.acceptor?(transport, profile) {
            self.roster.add(session)
        } else {
            // Has no effect when the acceptor closed it, with a code and words of its own.
            transport.close(code: SessionErrorCode.internalError.wireValue(in: profile), reason: "refused")
        }
    }

    /// Raw QUIC: takes a connection whose application protocol names a draft.
    func accept(_ connection: QUICConnection) -> (any QUICConnectionDelegate)? {
        guard let loop = self.loop, self.acceptor != nil else {
            return nil
        }
        guard let profile = self.configuration.profile(for: connection.applicationProtocol) else {
            Self.turnAway(connection, log: self.log)
            return nil
        }
        let transport = PicoQuicWebTransport(
            connection: connection,
            loop: loop,
            configuration: self.configuration.transport
        )
        self.admit(transport, profile)
        return transport
    }

    /// Closes a connection whose protocol is none of the drafts: what it would speak nobody can know.
    static func turnAway(_ connection: QUICConnection, log: Logger) {
        let name = connection.applicationProtocol.map { $0.prefix(32).debugDescription } ?? "no application protocol"
        log.info(
            "client refused: no draft goes with its application protocol",
            metadata: ["peer": "\(connection.peerAddress?.description ?? "unknown")", "protocol": "\(name)"]
        )
        // Every draft writes this code alike.
        connection.close(
            code: SessionErrorCode.versionNegotiationFailed.wireValue(in: .draft18),
            reason: "no draft goes with \(name)"
        )
    }

    /// In process: joins a client to the server and starts its session.
    /// - Throws: `stopped` when the server does not take such clients (any more), `refused` when there are too many,
    ///   `noCommonProtocol`.
    func connect(
        _ client: MoQEndpointConfiguration,
        session configuration: MoQSessionConfiguration,
        handler: any MoQSessionHandler
    ) throws(QUICError) -> MoQSession {
        guard let loop = self.loop, self.takesLinks else {
            throw QUICError(.stopped, "the server does not listen in process")
        }
        guard self.links.count < Int(self.configuration.quic.maximumConnections) else {
            throw QUICError(.refused, "the server has too many connections")
        }
        guard let draft = self.configuration.drafts.first(where: { client.drafts.contains($0) }),
            let profile = DraftProfile(version: draft)
        else {
            let drafts = client.drafts.map(\.description).joined(separator: ", ")
            throw QUICError(.noCommonProtocol, "no common draft: the server speaks none of \(drafts)")
        }
        let link = InMemoryLink(
            loop: loop,
            configuration: .inProcess(profile, client: client.transport, server: self.configuration.transport)
        )
        let id = ObjectIdentifier(link)
        link.ended = { [weak self] in self?.links[id] = nil }
        self.links[id] = link
        self.linksMade &+= 1
        self.admit(link.server, profile)
        let session = MoQSession(
            transport: link.client,
            loop: loop,
            profile: profile,
            configuration: configuration,
            handler: handler
        )
        session.start()
        return session
    }

    /// How many clients of this process there are.
    var liveLinks: Int { self.links.count }
}

extension InMemoryLinkConfiguration {
    /// A link within one process: nothing takes time, nothing is lost, and what travels in one piece is larger than on a
    /// network, datagrams excepted, which have to fit a network as well.
    fileprivate static func inProcess(
        _ profile: DraftProfile,
        client: WebTransportConfiguration,
        server: WebTransportConfiguration
    ) -> InMemoryLinkConfiguration {
        var link = InMemoryLinkConfiguration()
        link.latency = .zero
        link.packetSize = 16 << 10
        link.negotiatedProtocol = profile.version.alpn
        link.client = client
        link.server = server
        return link
    }
}
