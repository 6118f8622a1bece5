// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The places where a draft allows a message, one bit per place.
public struct StreamPlaces: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt32

    /// Makes a set of its bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The first message of a control stream.
    public static let controlStart = StreamPlaces(rawValue: 1)
    /// Later messages of a control stream.
    public static let control = StreamPlaces(rawValue: 2)
    /// The first message of a bidirectional stream that the peer opened.
    public static let requestStart = StreamPlaces(rawValue: 4)
    /// Later messages of the opener, on the stream of any request.
    public static let anyRequester = StreamPlaces(rawValue: 0x7F << 8)
    /// Messages of the answering side, on the stream of any request.
    public static let anyResponder = StreamPlaces(rawValue: 0x7F << 16)

    /// Later messages of the opener of a request stream of these kinds.
    public static func requester(_ kinds: RequestKind...) -> StreamPlaces {
        StreamPlaces(rawValue: kinds.reduce(0) { $0 | 1 << (8 + UInt32($1.rawValue)) })
    }

    /// Messages of the answering side of a request stream of these kinds.
    public static func responder(_ kinds: RequestKind...) -> StreamPlaces {
        StreamPlaces(rawValue: kinds.reduce(0) { $0 | 1 << (16 + UInt32($1.rawValue)) })
    }

    /// The place that the context describes.
    init(_ context: StreamContext) {
        switch context {
        case .controlStart: self = .controlStart
        case .control: self = .control
        case .requestStart: self = .requestStart
        case .requester(let kind, _): self = .requester(kind)
        case .responder(let kind, _): self = .responder(kind)
        }
    }
}
