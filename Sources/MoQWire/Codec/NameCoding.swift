// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension WireReader {
    /// Reads a namespace, prefix or suffix of at least `minimum` fields (draft-18 §2.4.1, "Track Naming").
    mutating func readNamespace(minimum: Int) throws(MoQWireError) -> TrackNamespace {
        let count = try self.readInteger()
        guard count <= UInt64(TrackNamespace.maximumFieldCount) else {
            throw .violation("a namespace has more than 32 fields")
        }
        guard count >= UInt64(minimum) else {
            throw .violation("a namespace has no fields")
        }
        var fields: [[UInt8]] = []
        fields.reserveCapacity(Int(count))
        var total = 0
        for _ in 0..<Int(count) {
            let length = try self.readLength(limit: TrackNamespace.maximumByteCount, "a namespace exceeds 4,096 bytes")
            guard length > 0 else {
                throw .violation("a field of a namespace is empty")
            }
            total += length
            guard total <= TrackNamespace.maximumByteCount else {
                throw .violation("a namespace exceeds 4,096 bytes")
            }
            fields.append(try self.readBytes(length))
        }
        return TrackNamespace(fields: fields)
    }

    /// Reads a track name, of which so many bytes are used up by its namespace.
    mutating func readTrackName(after used: Int) throws(MoQWireError) -> [UInt8] {
        let length = try self.readLength(
            limit: TrackNamespace.maximumByteCount - used,
            "a full track name exceeds 4,096 bytes"
        )
        return try self.readBytes(length)
    }

    /// Reads a namespace and a track name.
    mutating func readFullTrackName(in profile: DraftProfile) throws(MoQWireError) -> FullTrackName {
        let namespace = try self.readNamespace(minimum: profile.minimumNamespaceFields)
        return FullTrackName(namespace: namespace, name: try self.readTrackName(after: namespace.byteCount))
    }

    /// Reads a reason phrase (draft-18 §1.4.4).
    mutating func readReason() throws(MoQWireError) -> ReasonPhrase {
        let length = try self.readLength(
            limit: ReasonPhrase.maximumByteCount,
            "a reason phrase exceeds 1,024 bytes"
        )
        return ReasonPhrase(String(decoding: try self.readBytes(length), as: UTF8.self))
    }
}

extension WireWriter {
    /// Appends a namespace, prefix or suffix.
    mutating func write(_ namespace: TrackNamespace, minimum: Int = 0) throws(MoQWireError) {
        guard namespace.count >= minimum else {
            throw .notExpressible("a namespace needs at least one field in this draft")
        }
        guard namespace.count <= TrackNamespace.maximumFieldCount else {
            throw .notExpressible("a namespace has at most 32 fields")
        }
        guard namespace.byteCount <= TrackNamespace.maximumByteCount else {
            throw .notExpressible("a namespace has at most 4,096 bytes")
        }
        try self.write(integer: UInt64(namespace.count))
        for field in namespace.fields {
            guard !field.isEmpty else {
                throw .notExpressible("a field of a namespace cannot be empty")
            }
            try self.write(prefixed: field)
        }
    }

    /// Appends a namespace and a track name.
    mutating func write(_ track: FullTrackName, in profile: DraftProfile) throws(MoQWireError) {
        guard track.byteCount <= TrackNamespace.maximumByteCount else {
            throw .notExpressible("a full track name has at most 4,096 bytes")
        }
        try self.write(track.namespace, minimum: profile.minimumNamespaceFields)
        try self.write(prefixed: track.name)
    }

    /// Appends a reason phrase.
    mutating func write(_ reason: ReasonPhrase) throws(MoQWireError) {
        try self.write(prefixed: reason.text)
    }
}
