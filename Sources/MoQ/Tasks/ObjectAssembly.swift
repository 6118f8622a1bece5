// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// Puts an object together whose payload arrives in parts. (loop)
struct ObjectAssembly {
    private var object: TrackObject?
    private var parts: [Bytes] = []
    private var missing: UInt64 = 0

    /// How many bytes the unfinished object keeps, with what its parts cost.
    private(set) var heldByteCount = 0

    private static let partOverhead = 64

    /// Begins an object.
    /// - Returns: the object, when it has no payload.
    mutating func begin(_ object: TrackObject, payloadLength: UInt64) -> TrackObject? {
        self.clear()
        guard payloadLength > 0 else {
            return object
        }
        self.object = object
        self.missing = payloadLength
        self.heldByteCount = object.byteCount + Self.partOverhead
        return nil
    }

    /// Takes the next part.
    /// - Returns: the object, when that was the last one.
    mutating func receive(_ part: Bytes) -> TrackObject? {
        guard var object = self.object, UInt64(part.count) <= self.missing else {
            return nil
        }
        self.missing -= UInt64(part.count)
        self.heldByteCount += part.count
        if self.parts.isEmpty || !self.parts[self.parts.count - 1].extend(by: part) {
            self.parts.append(part)
            self.heldByteCount += Self.partOverhead
        }
        guard self.missing == 0 else {
            return nil
        }
        object.payload = self.joined()
        self.clear()
        return object
    }

    /// Forgets an object that will not be finished.
    mutating func clear() {
        self.object = nil
        self.parts = []
        self.missing = 0
        self.heldByteCount = 0
    }

    private func joined() -> Bytes {
        if self.parts.count == 1 {
            return self.parts[0]
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.parts.reduce(0) { $0 + $1.count })
        for part in self.parts {
            part.append(to: &bytes)
        }
        return Bytes(bytes)
    }
}
