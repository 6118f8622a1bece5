// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

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
        help: ArgumentHelp("Trust exactly the certificate with this SHA-256 fingerprint.", valueName: "hex"),
        transform: { try CertificateFingerprint(parsing: $0) }
    )
    var fingerprint: CertificateFingerprint?

    @Flag(help: "Trust any certificate. Whoever is on the path can read and change everything.")
    var insecure = false

    func validate() throws {
        let given = [self.ca != nil ? "--ca" : nil, self.fingerprint.map { _ in "--fingerprint" }, self.insecure ? "--insecure" : nil]
            .compactMap { $0 }
        guard given.count <= 1 else {
            throw ValidationError("\(given.joined(separator: " and ")) exclude each other")
        }
    }
}
