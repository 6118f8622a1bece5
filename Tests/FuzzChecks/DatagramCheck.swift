// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Datagrams, and the first bytes of unidirectional streams.
///
/// An input is the draft and the bytes.
enum DatagramCheck {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        var input = FuzzInput(bytes)
        let profile = input.draft()
        let datagram = input.rest()
        let codec = DatagramCodec(profile: profile)
        do {
            _ = try UniStreamType.decode(unsafe datagram.span.bytes, in: profile)
        } catch {
            try ControlCheck.check(error)
        }
        guard let decoded = try Self.decode(datagram, codec),
            case .object(let object, let offset) = decoded
        else {
            return
        }
        try require(offset > 0 && offset <= datagram.count, "the payload begins at \(offset) of \(datagram.count)")
        var again: [UInt8] = []
        do {
            try codec.encode(object, into: &again)
        } catch {
            throw FuzzFinding("what was decoded cannot be encoded: \(error) (\(object))")
        }
        let header = again.count
        again += datagram[offset...]
        let second = try Self.decode(again, codec)
        try require(
            second == .object(object, payloadOffset: header),
            "\(object) became \(String(describing: second))"
        )
        for length in 0..<offset {
            guard case .object(_, let early) = try Self.decode(Array(datagram.prefix(length)), codec) else {
                continue
            }
            // Fewer bytes are another datagram only where the status was cut off; they never reach beyond their end.
            try require(early <= length, "the payload begins at \(early) of \(length)")
        }
    }

    private static func decode(_ bytes: [UInt8], _ codec: DatagramCodec) throws(FuzzFinding) -> DatagramCodec.Decoded? {
        do {
            return try codec.decode(unsafe bytes.span.bytes)
        } catch {
            try ControlCheck.check(error)
            return nil
        }
    }
}
