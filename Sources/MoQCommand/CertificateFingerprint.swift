// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// The SHA-256 of a certificate as `--fingerprint` takes it: 64 hexadecimal digits, with or without colons.
struct CertificateFingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bytes.
    let bytes: [UInt8]

    /// Reads hexadecimal digits of either case. Colons and blanks between them are ignored.
    init(parsing text: String) throws {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.lowercased().utf8 where character != UInt8(ascii: ":") && character != UInt8(ascii: " ") {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            default: throw ValidationError("a SHA-256 fingerprint has only hexadecimal digits and colons")
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        guard bytes.count == 32, high == nil else {
            throw ValidationError("a SHA-256 fingerprint has 64 hexadecimal digits")
        }
        self.bytes = bytes
    }

    /// The digits in lower case, without colons.
    var description: String {
        Self.hexadecimal(self.bytes)
    }

    /// Writes bytes as hexadecimal digits in lower case.
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
