// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// What a namespace subscription tells its owner.
public enum NamespaceEvent: Hashable, Sendable {
    /// A namespace under the prefix appeared. The whole namespace, prefix included.
    case published(TrackNamespace)
    /// A namespace that appeared earlier is gone.
    case withdrawn(TrackNamespace)
    /// A track under the prefix exists, but the publisher cannot offer it: who wants it has to subscribe to it.
    case blocked(FullTrackName)
    /// Nothing more will come. Once, last; with an error when neither side ended the subscription on purpose.
    case ended(MoQError?)
}
