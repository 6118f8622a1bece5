// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A part of a URI that has been checked for its characters (RFC 3986 §2).
struct URIText {
    /// The part as text.
    let text: String

    /// Takes a path with an optional query: empty, or beginning with `/` or `?`.
    init?(path bytes: [UInt8]) {
        guard let first = bytes.first else {
            self.text = ""
            return
        }
        guard first == UInt8(ascii: "/") || first == UInt8(ascii: "?"),
            Self.isValid(bytes, also: "/?:@")
        else {
            return nil
        }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// Takes an authority: what stands between `//` and the path.
    init?(authority bytes: [UInt8]) {
        guard Self.isValid(bytes, also: ":@[]") else {
            return nil
        }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the bytes are unreserved characters, sub-delimiters, percent-encoded bytes or one of the others.
    private static func isValid(_ bytes: [UInt8], also: StaticString) -> Bool {
        let others = Array("\(also)".utf8) + Array("-._~!$&'()*+,;=".utf8)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < bytes.count, Self.isHex(bytes[index + 1]), Self.isHex(bytes[index + 2]) else {
                    return false
                }
                index += 3
                continue
            }
            guard Self.isLetterOrDigit(byte) || others.contains(byte) else {
                return false
            }
            index += 1
        }
        return true
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            return true
        default:
            return false
        }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            return true
        default:
            return false
        }
    }
}
