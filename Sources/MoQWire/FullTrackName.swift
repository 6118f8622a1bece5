// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A namespace and the name of a track in it: what identifies a track (draft-18 §2.4.1, "Track Naming").
public struct FullTrackName: Hashable, Sendable {
    /// The namespace.
    public var namespace: TrackNamespace
    /// The name, possibly empty, in no particular encoding.
    public var name: [UInt8]

    /// Makes a track name of its parts.
    public init(namespace: TrackNamespace, name: [UInt8]) {
        self.namespace = namespace
        self.name = name
    }

    /// Makes a track name whose last part is UTF-8 text.
    public init(namespace: TrackNamespace, name: String) {
        self.namespace = namespace
        self.name = Array(name.utf8)
    }

    /// The length that the limit of 4,096 bytes is about.
    public var byteCount: Int {
        self.namespace.byteCount + self.name.count
    }

    /// Renders bytes for logs and file names: letters, digits and `_` as they are, any other byte as `.` and two digits.
    static func render(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                result.append(byte)
            default:
                result.append(UInt8(ascii: "."))
                result.append(digits[Int(byte >> 4)])
                result.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension FullTrackName: CustomStringConvertible {
    /// Namespace and name joined by `--`, in the form that draft-18 §1.5 recommends.
    public var description: String {
        "\(self.namespace)--\(FullTrackName.render(self.name))"
    }
}
