// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport
import CPicoquicShims

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A certificate and a key as the two files that the library wants to read. What was given in memory appears as
/// anonymous files that vanish with this value.
final class CredentialFiles {
    let certificate: String
    let key: String
    private let descriptors: [CInt]

    /// Opens the credentials and checks that they are what they should be.
    /// - Throws: `fileUnreadable` or `badCredentials`, naming the file.
    init(_ credentials: QUICConfiguration.Credentials) throws(QUICError) {
        let certificateName: String
        let keyName: String
        switch credentials {
        case .files(let certificate, let key):
            self.descriptors = []
            self.certificate = certificate
            self.key = key
            certificateName = "certificate file '\(certificate)'"
            keyName = "key file '\(key)'"
        case .memory(let certificate, let key):
            let first = try Self.anonymousFile("certificate", certificate)
            let second: CInt
            do throws(QUICError) {
                second = try Self.anonymousFile("key", key)
            } catch {
                close(first)
                throw error
            }
            self.descriptors = [first, second]
            self.certificate = Self.path(of: first)
            self.key = Self.path(of: second)
            certificateName = "certificate given in memory"
            keyName = "key given in memory"
        }
        switch unsafe cpq_check_credentials(self.certificate, self.key) {
        case CInt(CPQ_CREDENTIALS_OK):
            break
        case CInt(CPQ_CERTIFICATE_UNREADABLE):
            throw QUICError(.fileUnreadable, "the \(certificateName) does not hold a certificate (PEM)")
        case CInt(CPQ_KEY_UNREADABLE):
            throw QUICError(.fileUnreadable, "the \(keyName) does not hold an unencrypted private key (PEM)")
        default:
            throw QUICError(.badCredentials, "the \(keyName) does not belong to the \(certificateName)")
        }
    }

    deinit {
        for descriptor in self.descriptors {
            close(descriptor)
        }
    }

    private static func anonymousFile(_ name: String, _ bytes: [UInt8]) throws(QUICError) -> CInt {
        let descriptor = unsafe bytes.withUnsafeBytes { buffer in
            unsafe cls_anonymous_file(name, buffer.baseAddress, buffer.count)
        }
        guard descriptor >= 0 else {
            throw QUICError(.systemFailure, "cannot keep the \(name) in memory: \(systemErrorText(errno))")
        }
        return descriptor
    }

    private static func path(of descriptor: CInt) -> String {
        #if os(Linux)
        "/proc/self/fd/\(descriptor)"
        #else
        "/dev/fd/\(descriptor)"
        #endif
    }
}
