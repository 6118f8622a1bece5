// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// A place in a track on the command line: a group, `12`, or an object in it, `12/3`.
struct LocationArgument: Hashable, Sendable, ExpressibleByArgument {
    /// Beyond what the older drafts can write.
    private static let limit: UInt64 = 1 << 62

    /// The group.
    var group: UInt64
    /// The object; nil for the whole group.
    var object: UInt64?

    init?(argument: String) {
        let parts = argument.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(Self.number)
        switch (parts.first, parts.count) {
        case (.some(.some(let group)), 1):
            self.group = group
        case (.some(.some(let group)), 2):
            guard let object = parts[1] else { return nil }
            self.group = group
            self.object = object
        default:
            return nil
        }
    }

    private static func number(_ text: Substring) -> UInt64? {
        guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }), let number = UInt64(text),
            number < self.limit
        else {
            return nil
        }
        return number
    }

    /// Where what it means begins.
    var start: Location {
        Location(group: self.group, object: self.object ?? 0)
    }

    /// Where it ends.
    var end: FetchEnd {
        self.object.map { .object(Location(group: self.group, object: $0)) } ?? .group(self.group)
    }
}
