// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// The certificate that a server shows.
struct ServerIdentityOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's certificate chain, a PEM file, leaf first.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("The private key of the certificate, a PEM file.", valueName: "file"))
    var key: String?

    @Flag(help: "Make a certificate for this run (ECDSA P-256, ten days) and print its fingerprint.")
    var selfSigned = false

    /// Whether any of the options was given.
    var isGiven: Bool {
        self.cert != nil || self.key != nil || self.selfSigned
    }

    /// Makes sure that exactly one kind of certificate is named. Called by commands that listen.
    func validateForListening() throws {
        if self.selfSigned {
            guard self.cert == nil, self.key == nil else {
                throw ValidationError("--self-signed excludes --cert and --key")
            }
            return
        }
        guard self.cert != nil || self.key != nil else {
            throw ValidationError("listening needs a certificate: --cert FILE and --key FILE, or --self-signed")
        }
        guard self.cert != nil else {
            throw ValidationError("--key needs --cert")
        }
        guard self.key != nil else {
            throw ValidationError("--cert needs --key")
        }
    }
}
