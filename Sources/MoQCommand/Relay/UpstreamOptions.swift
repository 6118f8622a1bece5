// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import PicoQuic

/// The relays that a relay asks for what nobody publishes at it, and how it decides whether they are the right ones.
struct UpstreamOptions: ParsableArguments {
    /// With more it would take too long until a subscriber is told that nobody has a track.
    private static let maximumCount = 4

    @Option(
        name: .customLong("upstream"),
        help: ArgumentHelp(
            "A relay, or a publisher that listens, to ask for what nobody publishes here. May be given up to 4 times.",
            valueName: "url"
        ),
        transform: { try EndpointURL(parsing: $0) }
    )
    var urls: [EndpointURL] = []

    @Option(
        help: ArgumentHelp(
            "Trust the certificate authorities in this PEM file for --upstream instead of the system's.",
            valueName: "file"
        )
    )
    var upstreamCa: String?

    @Option(
        help: ArgumentHelp(
            "Trust, for --upstream, exactly the certificate with this SHA-256 fingerprint. May be given several times.",
            valueName: "hex"
        ),
        transform: { text in
            guard let fingerprint = SHA256Fingerprint(text) else {
                throw ValidationError("a SHA-256 fingerprint has 64 hexadecimal digits")
            }
            return fingerprint
        }
    )
    var upstreamFingerprint: [SHA256Fingerprint] = []

    @Flag(help: "Trust any certificate for --upstream. Whoever is on the path can read and change everything.")
    var upstreamInsecure = false

    @Option(
        help: ArgumentHelp(
            "A file with authorization tokens, the first of which is shown to --upstream with each request.",
            valueName: "file"
        ),
        transform: { try TokenFile(reading: $0) }
    )
    var upstreamTokenFile: TokenFile?

    func validate() throws {
        var given: [String] = []
        if self.upstreamCa != nil {
            given.append("--upstream-ca")
        }
        if !self.upstreamFingerprint.isEmpty {
            given.append("--upstream-fingerprint")
        }
        if self.upstreamInsecure {
            given.append("--upstream-insecure")
        }
        guard given.count <= 1 else {
            throw ValidationError("\(given.joined(separator: " and ")) exclude each other")
        }
        if let option = given.first, self.urls.isEmpty {
            throw ValidationError("\(option) needs --upstream")
        }
        guard self.upstreamTokenFile == nil || !self.urls.isEmpty else {
            throw ValidationError("--upstream-token-file needs --upstream")
        }
        guard self.urls.count <= Self.maximumCount else {
            throw ValidationError("--upstream may be given up to \(Self.maximumCount) times")
        }
    }

    /// What the options ask for.
    var verification: QUICConfiguration.Verification {
        if self.upstreamInsecure {
            return .insecure
        }
        if !self.upstreamFingerprint.isEmpty {
            return .pinned(self.upstreamFingerprint)
        }
        if let file = self.upstreamCa {
            return .authority(file: file)
        }
        return .systemRoots
    }
}
