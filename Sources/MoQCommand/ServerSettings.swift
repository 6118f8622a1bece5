// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQPicoQuic
internal import PicoQuic

/// How a command listens, put together from its options.
struct ServerSettings: Sendable {
    /// The endpoint.
    var endpoint: MoQEndpointConfiguration
    /// Where it listens.
    var address: ListenAddress
    /// The fingerprint of a certificate that was made for this run.
    var fingerprint: SHA256Fingerprint?

    /// How many connections there may be at a time.
    var maximumConnections: UInt32 {
        get { self.endpoint.quic.maximumConnections }
        set { self.endpoint.quic.maximumConnections = newValue }
    }

    /// Puts them together.
    /// - Throws: ``CommandFailure`` when no certificate can be made.
    init(connection: ConnectionOptions, identity: ServerIdentityOptions, address: ListenAddress) throws {
        let identity = try identity.credentials(host: address.host)
        var endpoint = MoQEndpointConfiguration(drafts: connection.drafts.versions, credentials: identity.credentials)
        connection.apply(to: &endpoint.quic)
        self.endpoint = endpoint
        self.address = address
        self.fingerprint = identity.fingerprint
    }
}
