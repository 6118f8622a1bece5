// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// What travels over a simulated link in one piece: arrives whole or is lost.
struct InMemoryPacket {
    /// A part of a packet.
    enum Frame {
        case stream(id: StreamID, offset: UInt64, bytes: Bytes, isFinal: Bool)
        case datagram(Bytes)
        case resetStream(StreamID, code: UInt64)
        case stopSending(StreamID, code: UInt64)
        case maxStreamData(StreamID, limit: UInt64)
        case maxData(limit: UInt64)
        case maxStreams(isUnidirectional: Bool, limit: UInt64)
        case drain
        case close(code: UInt64, reason: String)

        /// What a frame takes besides its bytes.
        static let overhead = 16

        /// How much of a packet the frame takes.
        var size: Int {
            switch self {
            case .stream(_, _, let bytes, _), .datagram(let bytes): Self.overhead + bytes.count
            default: Self.overhead
            }
        }

        /// Whether the frame is sent again when its packet is lost.
        var isReliable: Bool {
            if case .datagram = self { return false }
            return true
        }
    }

    var frames: [Frame] = []
    var size = 0

    /// Adds a frame.
    mutating func append(_ frame: Frame) {
        self.frames.append(frame)
        self.size += frame.size
    }
}
