// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// An ordered set of byte strings that tracks are grouped under (draft-18 §2.4.1, "Track Naming").
///
/// The model allows what any draft allows somewhere; the codec enforces the limits of the draft it speaks: no empty
/// field, at most ``maximumFieldCount`` fields and ``maximumByteCount`` bytes.
public struct TrackNamespace: Hashable, Sendable {
    /// No draft allows more fields than this.
    public static let maximumFieldCount = 32
    /// The limit for a namespace, and for a namespace together with a track name, in bytes of content.
    public static let maximumByteCount = 4_096

    /// The fields, outermost first.
    public var fields: [[UInt8]]

    /// Makes a namespace of raw fields.
    public init(fields: [[UInt8]] = []) {
        self.fields = fields
    }

    /// Makes a namespace of one field per string, in UTF-8.
    public init(_ strings: [String]) {
        self.fields = strings.map { Array($0.utf8) }
    }

    /// Splits text such as `demo/camera` at its slashes. Empty parts are left out, so `"/a//b/"` is `a/b` and `""` is
    /// the namespace without fields.
    public init(path: String) {
        self.fields = path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }

    /// How many fields there are.
    public var count: Int {
        self.fields.count
    }

    /// Whether there are no fields.
    public var isEmpty: Bool {
        self.fields.isEmpty
    }

    /// The length that the limits of the drafts are about: the sum of the lengths of the fields.
    public var byteCount: Int {
        self.fields.reduce(0) { $0 + $1.count }
    }

    /// Whether the namespace begins with these fields. Every namespace begins with the empty one and with itself.
    public func hasPrefix(_ prefix: TrackNamespace) -> Bool {
        self.fields.starts(with: prefix.fields)
    }

    /// What is left after the fields of `prefix`, or nil when the namespace does not begin with them.
    public func suffix(after prefix: TrackNamespace) -> TrackNamespace? {
        guard self.hasPrefix(prefix) else {
            return nil
        }
        return TrackNamespace(fields: Array(self.fields.dropFirst(prefix.count)))
    }

    /// The namespace with the fields of `suffix` added at its end.
    public func appending(_ suffix: TrackNamespace) -> TrackNamespace {
        TrackNamespace(fields: self.fields + suffix.fields)
    }
}

extension TrackNamespace: CustomStringConvertible {
    /// The form for logs that draft-18 §1.5 recommends: fields joined by `-`, and `.` with two hexadecimal digits for
    /// each byte that is not a letter, a digit or `_`.
    public var description: String {
        self.fields.map(FullTrackName.render).joined(separator: "-")
    }
}
