// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquicShims

/// The SHA-256 of a certificate, to recognise exactly that one.
public struct SHA256Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bytes.
    public let bytes: [UInt8]

    /// Takes 32 bytes; nil for any other number.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else {
            return nil
        }
        self.bytes = bytes
    }

    /// Reads 64 hexadecimal digits, with or without colons or spaces between them; nil for anything else.
    public init?(_ text: String) {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text where character != ":" && character != " " {
            guard let digit = character.hexDigitValue.flatMap({ UInt8(exactly: $0) }), character.isASCII else {
                return nil
            }
            if let upper = high {
                bytes.append(upper << 4 | digit)
                high = nil
            } else {
                high = digit
            }
            guard bytes.count <= 32 else {
                return nil
            }
        }
        guard high == nil else {
            return nil
        }
        self.init(bytes: bytes)
    }

    /// The fingerprint of the first certificate in a PEM text; nil when there is none.
    public init?(certificatePEM pem: [UInt8]) {
        var digest = [UInt8](repeating: 0, count: 32)
        let outcome = unsafe pem.withUnsafeBytes { text in
            unsafe digest.withUnsafeMutableBufferPointer { buffer in
                unsafe cpq_certificate_digest(text.baseAddress, text.count, buffer.baseAddress)
            }
        }
        guard outcome == 0 else {
            return nil
        }
        self.bytes = digest
    }

    /// 64 hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for byte in self.bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
