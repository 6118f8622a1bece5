// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PicoQuic
internal import WebTransport
internal import WebTransportPicoQuic

/// The server that the subscribers of a load connect to, and how: a relay, or the publisher itself.
struct LoadServer: Sendable {
    /// The host, a name or an address.
    let host: String
    /// The port.
    let port: UInt16
    /// How connections are made.
    private(set) var quic: QUICConfiguration
    /// How sessions are.
    let session: MoQSessionConfiguration

    private let drafts: [DraftVersion]

    /// A relay.
    init(_ url: EndpointURL, connection: ConnectionOptions, trust: ClientTrustOptions) {
        self.init(
            host: url.url.host,
            port: url.url.port,
            authority: url.url.authority,
            path: url.url.pathAndQuery,
            verification: trust.verification,
            ticketStore: trust.ticketStore,
            connection: connection
        )
    }

    /// A publisher in this process.
    init(port: UInt16, fingerprint: SHA256Fingerprint, connection: ConnectionOptions) {
        self.init(
            host: "127.0.0.1",
            port: port,
            authority: "127.0.0.1:\(port)",
            path: "/",
            verification: .pinned([fingerprint]),
            connection: connection
        )
    }

    private init(
        host: String,
        port: UInt16,
        authority: String,
        path: String,
        verification: QUICConfiguration.Verification,
        ticketStore: QUICTicketStore? = nil,
        connection: ConnectionOptions
    ) {
        self.host = host
        self.port = port
        self.drafts = connection.drafts.versions
        var quic = QUICConfiguration(applicationProtocols: [])
        for draft in self.drafts where !quic.applicationProtocols.contains(draft.alpn) {
            quic.applicationProtocols.append(draft.alpn)
        }
        quic.verification = verification
        quic.ticketStore = ticketStore
        connection.apply(to: &quic)
        quic.adopt(WebTransportConfiguration())
        self.quic = quic
        var session = Self.sessionConfiguration
        session.setup.authority = authority
        session.setup.path = path
        connection.tokenFile?.show(in: &session)
        self.session = session
    }

    /// The same server, for subscribers.
    func forSubscribers(_ options: LoadOptions) -> LoadServer {
        var server = self
        options.applyToSubscribers(&server.quic)
        return server
    }

    /// The same server, asked for another application protocol.
    func speaking(_ applicationProtocol: String) -> LoadServer {
        var server = self
        server.quic.applicationProtocols = [applicationProtocol]
        return server
    }

    /// How sessions are, whatever the server.
    static var sessionConfiguration: MoQSessionConfiguration {
        var session = MoQSessionConfiguration()
        session.stallTimeout = ClientSettings.stallTimeout
        return session
    }

    /// The draft that goes with what a handshake agreed on.
    func profile(for applicationProtocol: String?) -> DraftProfile? {
        self.drafts.first { $0.alpn == applicationProtocol }.flatMap { DraftProfile(version: $0) }
    }
}
