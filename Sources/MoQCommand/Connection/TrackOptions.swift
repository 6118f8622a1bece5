// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// Which track a command is about.
struct TrackOptions: ParsableArguments {
    @Option(
        name: [.long, .customShort("n")],
        help: ArgumentHelp("The track's namespace, its fields separated by slashes.", valueName: "a/b")
    )
    var namespace: String

    @Option(
        name: [.long, .customShort("t")],
        help: ArgumentHelp("The name of the track in its namespace.", valueName: "name")
    )
    var track: String

    /// The namespace and the name as the protocol has them.
    var fullName: FullTrackName {
        FullTrackName(namespace: TrackNamespace(path: self.namespace), name: self.track)
    }

    /// What messages call the track.
    var displayName: String {
        "\(self.namespace)/\(self.track)"
    }

    func validate() throws {
        let name = self.fullName
        guard !name.namespace.isEmpty, name.namespace.count <= TrackNamespace.maximumFieldCount else {
            throw ValidationError(
                "--namespace '\(self.namespace)' must have 1 to \(TrackNamespace.maximumFieldCount) fields"
            )
        }
        guard !self.track.isEmpty else {
            throw ValidationError("--track must not be empty")
        }
        guard name.byteCount <= TrackNamespace.maximumByteCount else {
            throw ValidationError(
                "--namespace and --track together are longer than \(TrackNamespace.maximumByteCount) bytes"
            )
        }
    }
}
