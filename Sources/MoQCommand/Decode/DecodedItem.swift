// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// One thing that was decoded, or the violation that was found instead.
enum DecodedItem: Hashable, Sendable {
    /// A message, a stream or a datagram under the name that the draft gives it, with its fields, and with what our encoder
    /// makes of them; nil when the draft's encoder refuses to write what its decoder has to accept.
    case decoded(name: String, fields: JSONObject, reencoded: [UInt8]?)
    /// What the session would be closed with.
    case violation(MoQWireError)

    /// One line of JSON.
    func line(in profile: DraftProfile) -> String {
        var object = JSONObject()
        switch self {
        case .decoded(let name, let fields, let reencoded):
            object.add("message", .text(name))
            object.add("fields", .object(fields))
            object.add("reencoded", reencoded.map { .hex($0) } ?? .null)
        case .violation(let error):
            object.add("error", .text(error.code.name))
            object.add("code", error.code.wireValue(in: profile))
            object.add("reason", .text(error.reason))
        }
        return object.rendered
    }
}

/// What the encoder made so far of something with several parts; nothing once it has refused one.
struct Reencoding {
    private(set) var bytes: [UInt8]? = []

    /// Lets the encoder append the next part.
    mutating func append(_ encode: (inout [UInt8]) throws(MoQWireError) -> Void) {
        guard var bytes = self.bytes else {
            return
        }
        self.bytes = nil
        do throws(MoQWireError) {
            try encode(&bytes)
            self.bytes = bytes
        } catch {
            return
        }
    }

    /// Appends payload.
    mutating func append(payload: some Collection<UInt8>) {
        self.bytes?.append(contentsOf: payload)
    }
}
