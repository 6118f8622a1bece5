// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import PicoQuic
public import WebTransport
import WebTransportPicoQuic

/// What a MoQ endpoint on picoquic is to be like.
public struct MoQEndpointConfiguration: Sendable {
    /// The drafts that are spoken, most preferred first.
    public var drafts: [DraftVersion]

    /// The limits of the streams and datagrams of every session.
    public var transport: WebTransportConfiguration

    /// The QUIC endpoint. Its protocols, windows and stream limits are replaced by what ``drafts`` and ``transport``
    /// say. It allows 0-RTT data: of that a session takes SETUP, and keeps everything else until the handshake is complete.
    public var quic: QUICConfiguration

    /// A client's configuration; a server's with credentials.
    public init(
        drafts: [DraftVersion] = DraftProfile.all.map(\.version),
        credentials: QUICConfiguration.Credentials? = nil
    ) {
        self.drafts = drafts
        self.transport = WebTransportConfiguration()
        self.quic = QUICConfiguration(applicationProtocols: [], credentials: credentials)
        self.quic.allowsEarlyData = true
    }

    /// The QUIC endpoint's configuration with everything that follows from the drafts and limits.
    var effectiveQUIC: QUICConfiguration {
        var quic = self.quic
        quic.applicationProtocols = self.applicationProtocols
        quic.adopt(self.transport)
        return quic
    }

    /// The names of the drafts in the TLS handshake (ALPN), each once.
    var applicationProtocols: [String] {
        var names: [String] = []
        for draft in self.drafts where DraftProfile(version: draft) != nil && !names.contains(draft.alpn) {
            names.append(draft.alpn)
        }
        return names
    }

    /// The profile that goes with what the handshake agreed on; nil for a protocol that is not configured.
    func profile(for applicationProtocol: String?) -> DraftProfile? {
        guard let name = applicationProtocol, let draft = self.drafts.first(where: { $0.alpn == name }) else {
            return nil
        }
        return DraftProfile(version: draft)
    }

    /// Checks everything that can be checked without opening a socket.
    /// - Throws: an error whose message names the setting or the file.
    public func validate() throws(QUICError) {
        for draft in self.drafts where DraftProfile(version: draft) == nil {
            throw QUICError(.invalidConfiguration, "\(draft) is not implemented")
        }
        guard !self.drafts.isEmpty else {
            throw QUICError(.invalidConfiguration, "at least one draft is needed")
        }
        try self.effectiveQUIC.validate()
    }
}
