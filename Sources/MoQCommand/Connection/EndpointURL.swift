// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQPicoQuic

/// The URL of a relay, or of a publisher that listens, as the command line takes it.
struct EndpointURL: Hashable, Sendable {
    /// What to connect to.
    let url: MoQURL
    /// Host and port, as messages name the peer.
    let authority: String

    /// Reads `moqt://host:port/path`.
    init(parsing text: String) throws {
        do throws(MoQURL.ParseError) {
            self.url = try MoQURL(text)
        } catch {
            throw ValidationError(error.description)
        }
        self.authority = ListenAddress.authority(host: self.url.host, port: self.url.port)
    }
}
