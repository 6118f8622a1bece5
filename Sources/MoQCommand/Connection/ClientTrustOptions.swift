// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import PicoQuic

/// How a client decides whether it talks to the right server.
struct ClientTrustOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Trust the certificate authorities in this PEM file instead of the system's.",
            valueName: "file"
        )
    )
    var ca: String?

    @Option(
        help: ArgumentHelp(
            "Trust exactly the certificate with this SHA-256 fingerprint (colons are optional).",
            valueName: "hex"
        ),
        transform: { text in
            guard let fingerprint = SHA256Fingerprint(text) else {
                throw ValidationError("a SHA-256 fingerprint has 64 hexadecimal digits")
            }
            return fingerprint
        }
    )
    var fingerprint: SHA256Fingerprint?

    @Flag(help: "Trust any certificate. Whoever is on the path can read and change everything.")
    var insecure = false

    @Option(
        help: ArgumentHelp(
            """
            Keep what servers give to come back faster in this file, which is made when it is missing. It is as secret as \
            what is sent.
            """,
            valueName: "file"
        )
    )
    var tickets: String?

    func validate() throws {
        var given: [String] = []
        if self.ca != nil {
            given.append("--ca")
        }
        if self.fingerprint != nil {
            given.append("--fingerprint")
        }
        if self.insecure {
            given.append("--insecure")
        }
        guard given.count <= 1 else {
            throw ValidationError("\(given.joined(separator: " and ")) exclude each other")
        }
    }

    /// Where tickets are kept, if they are. What is wrong with the file is told, and no reason to fail.
    var ticketStore: QUICTicketStore? {
        self.tickets.map { file in
            QUICTicketStore(file: file) { StandardStreams.complain("note: \($0)") }
        }
    }

    /// What the options ask for.
    var verification: QUICConfiguration.Verification {
        if self.insecure {
            return .insecure
        }
        if let fingerprint = self.fingerprint {
            return .pinned([fingerprint])
        }
        if let ca = self.ca {
            return .authority(file: ca)
        }
        return .systemRoots
    }
}
