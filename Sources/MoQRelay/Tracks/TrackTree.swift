// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Tracks, by namespace and name, found by a prefix of the namespace. (loop)
struct TrackTree {
    private var names = NamespaceTree<[[UInt8]: TrackForwarder]>()

    /// Files a track, in place of the one with its name.
    mutating func insert(_ track: TrackForwarder) {
        var siblings = self.names[track.name.namespace] ?? [:]
        siblings[track.name.name] = track
        self.names.insert(siblings, at: track.name.namespace)
    }

    /// Takes a track out, unless another one with its name stands there.
    mutating func remove(_ track: TrackForwarder) {
        guard var siblings = self.names[track.name.namespace], siblings[track.name.name] === track else {
            return
        }
        siblings[track.name.name] = nil
        if siblings.isEmpty {
            self.names.remove(track.name.namespace)
        } else {
            self.names.insert(siblings, at: track.name.namespace)
        }
    }

    /// The tracks of all namespaces that begin with this one, itself included, in no order.
    func all(under prefix: TrackNamespace) -> [TrackForwarder] {
        self.names.all(under: prefix).flatMap(\.value.values)
    }
}
