// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Writes what a peer sent so that it stays in its place in a line for people.
enum PlainText {
    /// The bytes as text. Control characters, whatever else ends a line, bytes that are no text, percent signs and the
    /// characters of `separators` are written as `%` and two hexadecimal digits for each byte.
    static func escaped(_ bytes: [UInt8], separators: String = "") -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return bytes.map { byte in
                let isGraphic = byte > 0x20 && byte < 0x7F
                let scalar = UnicodeScalar(byte)
                return isGraphic && self.isPlain(scalar, separators) ? String(scalar) : self.digits(byte)
            }.joined()
        }
        return text.unicodeScalars.map { scalar in
            self.isPlain(scalar, separators) ? String(scalar) : String(scalar).utf8.map(self.digits).joined()
        }.joined()
    }

    private static func isPlain(_ scalar: UnicodeScalar, _ separators: String) -> Bool {
        switch scalar {
        case "%", "\u{0}"..<" ", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}": false
        default: !separators.unicodeScalars.contains(scalar)
        }
    }

    private static func digits(_ byte: UInt8) -> String {
        "%" + HexText.string([byte])
    }
}

extension TrackNamespace {
    /// The form that the command line takes: fields separated by slashes.
    var pathText: String {
        self.fields.map { PlainText.escaped($0, separators: "/") }.joined(separator: "/")
    }
}
