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
    /// How many loops it has.
    var shards = 1

    /// How many connections there may be at a time.
    var maximumConnections: UInt32 {
        get { self.endpoint.quic.maximumConnections }
        set { self.endpoint.quic.maximumConnections = newValue }
    }

    /// When clients have to prove their address.
    var retryPolicy: QUICConfiguration.RetryPolicy {
        get { self.endpoint.quic.retryPolicy }
        set { self.endpoint.quic.retryPolicy = newValue }
    }

    /// Puts them together.
    /// - Throws: ``CommandFailure`` when no certificate can be made, or the secrets cannot be used.
    init(connection: ConnectionOptions, identity: ServerIdentityOptions, address: ListenAddress) throws {
        let secrets = try identity.loadSecrets()
        let identity = try identity.credentials(host: address.host)
        var endpoint = MoQEndpointConfiguration(drafts: connection.drafts.versions, credentials: identity.credentials)
        connection.apply(to: &endpoint.quic)
        if let secrets {
            endpoint.quic.adopt(secrets: secrets)
        }
        self.endpoint = endpoint
        self.address = address
        self.fingerprint = identity.fingerprint
    }
}
