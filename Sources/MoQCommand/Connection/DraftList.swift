// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// The drafts that a command offers or accepts, the preferred one first.
struct DraftList: Hashable, Sendable {
    /// At least one, none twice.
    let versions: [DraftVersion]

    /// All drafts that this build speaks, newest first.
    static let all = DraftList(versions: DraftProfile.all.map(\.version))

    private init(versions: [DraftVersion]) {
        self.versions = versions
    }

    /// Reads numbers separated by commas, such as `18,16`. `draft-18` is understood too.
    init(parsing text: String) throws {
        var versions: [DraftVersion] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let digits = part.trimmingPrefix("draft-")
            guard let number = Int(digits), let version = Self.all.versions.first(where: { $0.number == number }) else {
                throw ValidationError("unknown draft '\(part)', this build speaks \(Self.all.text)")
            }
            if !versions.contains(version) {
                versions.append(version)
            }
        }
        self.versions = versions
    }

    /// The form that the option takes.
    var text: String {
        self.versions.map { String($0.number) }.joined(separator: ",")
    }
}
