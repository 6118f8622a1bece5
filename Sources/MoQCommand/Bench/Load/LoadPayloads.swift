// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import WebTransport

/// Makes the payloads of a load, all of one length, without allocating for each: the stamps of many stand in one piece of
/// memory, and what follows them is the same for all.
struct LoadPayloads {
    /// How many bytes of stamped payloads one piece of memory has at most, beyond the first payload.
    private static let pieceLength = 256 << 10

    /// The length of a payload.
    let length: Int
    /// What stands behind the stamp; empty when payloads are in one piece.
    let rest: Bytes
    /// How many payloads can be stamped together.
    let batch: Int

    /// How many bytes are made anew for each payload.
    private let headLength: Int

    /// Payloads of this length, which must have room for a stamp. With `inOnePiece` nothing is shared: datagrams are sent
    /// whole.
    init(length: Int, inOnePiece: Bool) {
        self.length = length
        self.headLength = inOnePiece ? length : LoadStamp.length
        self.rest = Bytes([UInt8](repeating: 0x5A, count: length - self.headLength))
        self.batch = min(256, max(1, Self.pieceLength / max(length, 1)))
    }

    /// Makes the stamped parts of `count` payloads, one behind the other. `due` says when each is due.
    func stamps(from sequence: UInt64, count: Int, due: (UInt64) -> UInt64) -> Bytes {
        Bytes(capacity: count * self.headLength) { output in
            for number in sequence..<(sequence + UInt64(count)) {
                LoadStamp(due: due(number), sequence: number).write(to: &output)
                if self.headLength > LoadStamp.length {
                    unsafe output.append(
                        repeating: UInt8(0x5A),
                        count: self.headLength - LoadStamp.length,
                        as: UInt8.self
                    )
                }
            }
        }
    }

    /// The stamped part of one of those payloads.
    func head(_ position: Int, of stamps: Bytes) -> Bytes {
        stamps.slice(position * self.headLength..<(position + 1) * self.headLength)
    }
}
