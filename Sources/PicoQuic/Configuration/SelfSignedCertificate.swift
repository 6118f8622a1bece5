// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquicShims

/// A key and a certificate that it signed itself: for development, tests, and peers that pin the fingerprint.
///
/// ECDSA P-256, as web browsers require of certificates that they accept by fingerprint (which must not be valid for
/// longer than 14 days).
public struct SelfSignedCertificate: Sendable {
    /// The certificate, PEM.
    public let certificatePEM: [UInt8]

    /// The private key, PEM. Secret.
    public let privateKeyPEM: [UInt8]

    /// The SHA-256 of the certificate, for peers to recognise it by.
    public let fingerprint: SHA256Fingerprint

    /// Makes a key and a certificate.
    ///
    /// - Parameters:
    ///   - days: how long it is valid from now.
    ///   - names: the host names and numeric addresses that it is valid for; at least one.
    /// - Throws: `invalidConfiguration` for a name that cannot be one or no days at all; `systemFailure` when the
    ///   system has no randomness or memory.
    public init(days: Int = 10, names: [String] = ["localhost", "127.0.0.1", "::1"]) throws(QUICError) {
        guard let days = CInt(exactly: days), (1..<36_500).contains(days) else {
            throw QUICError(.invalidConfiguration, "a certificate must be valid for 1 to 36499 days, not \(days)")
        }
        guard let first = names.first else {
            throw QUICError(.invalidConfiguration, "a certificate needs at least one host name")
        }
        var entries: [String] = []
        for name in names {
            if SocketAddress(host: name, port: 0) != nil {
                entries.append("IP:\(name)")
            } else if Self.isHostName(name) {
                entries.append("DNS:\(name)")
            } else {
                throw QUICError(.invalidConfiguration, "'\(name)' is neither a host name nor an IP address")
            }
        }
        var certificate: UnsafeMutablePointer<CChar>?
        var key: UnsafeMutablePointer<CChar>?
        var digest = [UInt8](repeating: 0, count: 32)
        let outcome = unsafe digest.withUnsafeMutableBufferPointer { buffer in
            unsafe cpq_make_self_signed(
                days,
                first,
                entries.joined(separator: ","),
                &certificate,
                &key,
                buffer.baseAddress
            )
        }
        defer {
            unsafe cpq_free_text(certificate)
            unsafe cpq_free_text(key)
        }
        guard outcome == 0, let certificate = unsafe certificate, let key = unsafe key,
            let fingerprint = SHA256Fingerprint(bytes: digest)
        else {
            throw QUICError(.systemFailure, "cannot make a self-signed certificate")
        }
        self.certificatePEM = unsafe Array(String(cString: certificate).utf8)
        self.privateKeyPEM = unsafe Array(String(cString: key).utf8)
        self.fingerprint = fingerprint
    }

    private static func isHostName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 253
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default:
                    false
                }
            }
    }
}
