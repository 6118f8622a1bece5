// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import PicoQuic

/// The certificate that a server shows.
struct ServerIdentityOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's certificate chain, a PEM file, leaf first.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("The private key of the certificate, a PEM file.", valueName: "file"))
    var key: String?

    @Flag(help: "Make a certificate for this run (ECDSA P-256, ten days) and print its fingerprint.")
    var selfSigned = false

    @Option(
        help: ArgumentHelp(
            """
            Keep the keys of session tickets and of stateless resets in this file, which is made when it is missing: \
            clients of a server that was restarted then notice at once and come back faster. Servers that share an address \
            share the file.
            """,
            valueName: "file"
        )
    )
    var secrets: String?

    /// Whether any of the options was given.
    var isGiven: Bool {
        self.cert != nil || self.key != nil || self.selfSigned || self.secrets != nil
    }

    /// The keys that the server is to have; nil for random ones.
    /// - Throws: ``CommandFailure`` when the file cannot be used.
    func loadSecrets() throws(CommandFailure) -> QUICSecrets? {
        guard let file = self.secrets else {
            return nil
        }
        do throws(QUICError) {
            return try QUICSecrets(file: file)
        } catch {
            throw CommandFailure("--secrets: \(error.message)")
        }
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

    /// The certificate and key to use, and the fingerprint when they were made for this run. `host` is one of the names
    /// that a certificate made here is valid for.
    func credentials(
        host: String
    ) throws -> (credentials: QUICConfiguration.Credentials, fingerprint: SHA256Fingerprint?) {
        if let cert = self.cert, let key = self.key {
            return (.files(certificate: cert, key: key), nil)
        }
        var names = ["localhost", "127.0.0.1", "::1"]
        if !names.contains(host), host != "0.0.0.0", host != "::" {
            names.append(host)
        }
        do throws(QUICError) {
            let certificate = try SelfSignedCertificate(days: 10, names: names)
            return (.selfSigned(certificate), certificate.fingerprint)
        } catch {
            throw CommandFailure("--self-signed: \(error.message)")
        }
    }
}
