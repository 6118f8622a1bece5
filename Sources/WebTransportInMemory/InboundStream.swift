// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// The receiving half of one stream at one end of a simulated link: puts what arrives in order.
final class InboundStream {
    /// A run of bytes that arrived before what goes in front of it.
    struct Piece {
        var offset: UInt64
        var bytes: Bytes
        var isFinal: Bool
    }

    let token: StreamToken
    private(set) var nextOffset: UInt64 = 0
    private var pieces: [Piece] = []

    init(token: StreamToken) {
        self.token = token
    }

    /// How many bytes wait for what goes in front of them.
    var waitingByteCount: Int { self.pieces.reduce(0) { sum, piece in sum + piece.bytes.count } }

    /// Keeps a run of bytes until its turn.
    func insert(_ piece: Piece) {
        self.pieces.append(piece)
    }

    /// Takes the run whose turn it is, if it is there.
    func next() -> Piece? {
        guard let index = self.pieces.firstIndex(where: { $0.offset == self.nextOffset }) else { return nil }
        let piece = self.pieces.remove(at: index)
        self.nextOffset += UInt64(piece.bytes.count)
        return piece
    }
}
