// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A text for people that goes with an error (draft-18 §1.4.4, "Reason Phrase Structure").
///
/// No draft allows more than ``maximumByteCount`` bytes, so a longer text is cut at a character boundary when the phrase
/// is made. Bytes of a peer that are no UTF-8 are replaced, never refused.
public struct ReasonPhrase: Hashable, Sendable, ExpressibleByStringLiteral {
    /// The longest phrase in bytes.
    public static let maximumByteCount = 1_024

    /// The text, at most ``maximumByteCount`` bytes of UTF-8.
    public let text: String

    /// Makes a phrase of this text, cut to the limit.
    public init(_ text: String = "") {
        guard text.utf8.count > Self.maximumByteCount else {
            self.text = text
            return
        }
        var kept = ""
        var room = Self.maximumByteCount
        for scalar in text.unicodeScalars {
            let size = UTF8.width(scalar)
            guard size <= room else {
                break
            }
            room -= size
            kept.unicodeScalars.append(scalar)
        }
        self.text = kept
    }

    /// Makes a phrase of this text, cut to the limit.
    public init(stringLiteral value: String) {
        self.init(value)
    }
}

extension ReasonPhrase: CustomStringConvertible {
    /// The text.
    public var description: String {
        self.text
    }
}
