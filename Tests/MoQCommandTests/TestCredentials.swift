// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PicoQuic

/// A certificate and its key as files.
struct TestCredentials {
    /// The path of the certificate.
    let certificate: String
    /// The path of the key.
    let key: String
    /// The certificate's SHA-256.
    let fingerprint: String

    /// Makes them in a directory.
    init(in directory: String, name: String) throws {
        let made = try SelfSignedCertificate()
        self.certificate = "\(directory)/\(name)-cert.pem"
        self.key = "\(directory)/\(name)-key.pem"
        self.fingerprint = made.fingerprint.description
        try Data(made.certificatePEM).write(to: URL(fileURLWithPath: self.certificate))
        try Data(made.privateKeyPEM).write(to: URL(fileURLWithPath: self.key))
    }
}
