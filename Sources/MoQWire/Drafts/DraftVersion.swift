// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A version of the protocol: a draft of the specification and the name by which QUIC negotiates it (draft-18 §3.1).
public struct DraftVersion: Hashable, Comparable, Sendable {
    /// The number of the draft, as in draft-ietf-moq-transport-NN.
    public let number: Int

    private init(_ number: Int) {
        self.number = number
    }

    /// Draft 14.
    public static let draft14 = DraftVersion(14)
    /// Draft 16.
    public static let draft16 = DraftVersion(16)
    /// Draft 18.
    public static let draft18 = DraftVersion(18)

    /// The drafts that have a name here, newest first. Not all of them need to be implemented, see ``DraftProfile/all``.
    public static let known: [DraftVersion] = [.draft18, .draft16, .draft14]

    /// The version with this number, if it is known here.
    public init?(number: Int) {
        guard Self.known.contains(where: { $0.number == number }) else {
            return nil
        }
        self.number = number
    }

    /// The version that goes by this name in ALPN and in WT-Protocol, if it is known here.
    public init?(alpn: String) {
        guard let version = Self.known.first(where: { $0.alpn == alpn }) else {
            return nil
        }
        self = version
    }

    /// The name in ALPN (raw QUIC) and in WT-Protocol (WebTransport). All drafts up to 14 share one.
    public var alpn: String {
        self.number <= 14 ? "moq-00" : "moqt-\(self.number)"
    }

    /// The number of the version in the setup messages of draft 14 (draft-14 §9.3.1).
    public var setupNumber: UInt64 {
        0xFF00_0000 + UInt64(self.number)
    }

    /// Older drafts come first.
    public static func < (lhs: DraftVersion, rhs: DraftVersion) -> Bool {
        lhs.number < rhs.number
    }
}

extension DraftVersion: CustomStringConvertible {
    /// The draft, as in `draft-18`.
    public var description: String {
        "draft-\(self.number)"
    }
}
