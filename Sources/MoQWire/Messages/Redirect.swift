// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Another place, and possibly another name, to make a failed request with (draft-18 §10.6.1, "Redirect Structure").
public struct Redirect: Hashable, Sendable {
    /// Where to connect to; empty for the present session's URI. Only a server may say it.
    public var connectURI: String
    /// The namespace to use. The original one when this and ``name`` are both empty.
    public var namespace: TrackNamespace
    /// The track name to use. Must be empty when the request was about a namespace.
    public var name: [UInt8]

    /// Makes the message of its fields.
    public init(
        connectURI: String = "",
        namespace: TrackNamespace = TrackNamespace(),
        name: [UInt8] = []
    ) {
        self.connectURI = connectURI
        self.namespace = namespace
        self.name = name
    }
}
