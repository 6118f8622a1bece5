// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import PicoQuic

/// How a command connects, put together from its options.
struct ClientSettings: Sendable {
    /// How long connecting may take. Below the five seconds within which an error is to be told.
    static let connectTimeout = Duration.milliseconds(3_500)

    /// How long a publisher waits for a peer that takes nothing. A relay may hold a publisher back for as long as its
    /// subscribers are slow, and a subscriber may pause; that is no reason to give up.
    static let stallTimeout = Duration.seconds(60)

    /// The endpoint.
    var endpoint: MoQEndpointConfiguration
    /// The session.
    var session: MoQSessionConfiguration

    /// Puts them together.
    init(connection: ConnectionOptions, trust: ClientTrustOptions) {
        var endpoint = MoQEndpointConfiguration(drafts: connection.drafts.versions)
        endpoint.quic.verification = trust.verification
        endpoint.quic.ticketStore = trust.ticketStore
        connection.apply(to: &endpoint.quic)
        self.endpoint = endpoint
        self.session = MoQSessionConfiguration()
        self.session.stallTimeout = Self.stallTimeout
        connection.tokenFile?.show(in: &self.session)
    }
}
