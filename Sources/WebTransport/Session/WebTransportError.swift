// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why a call on a session or a stream failed.
public struct WebTransportError: Error, Sendable {
    /// The kinds of failure, comparable with `==`; more may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case sessionClosed
            case sessionDraining
            case streamClosed
            case streamReset
            case streamLimit
            case datagramTooLarge
            case datagramsUnsupported
            case queueFull
            case invalidState
            case cancelled
            case transport
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The session is over.
        public static let sessionClosed = Code(.sessionClosed)
        /// The session is draining: what is open goes on, nothing new is opened.
        public static let sessionDraining = Code(.sessionDraining)
        /// The stream was finished, reset or stopped.
        public static let streamClosed = Code(.streamClosed)
        /// The peer gave up the stream that was read; `wireCode` says with which code.
        public static let streamReset = Code(.streamReset)
        /// Too many streams are open or wait for the peer's permission.
        public static let streamLimit = Code(.streamLimit)
        /// The datagram does not fit; `limit` says what does.
        public static let datagramTooLarge = Code(.datagramTooLarge)
        /// The peer takes no datagrams.
        public static let datagramsUnsupported = Code(.datagramsUnsupported)
        /// The queue of the stream or the session is at its limit; nothing was queued.
        public static let queueFull = Code(.queueFull)
        /// The call makes no sense in the present state.
        public static let invalidState = Code(.invalidState)
        /// The task that waited was cancelled; nothing was taken or queued.
        public static let cancelled = Code(.cancelled)
        /// The transport below refused; `message` says what it said.
        public static let transport = Code(.transport)

        /// The name of the kind.
        public var description: String { self.kind.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, for people.
    public var message: String
    /// The code that the peer sent or that went to the peer, as it was on the wire.
    public var wireCode: UInt64?
    /// The limit that was exceeded.
    public var limit: Int?

    /// Describes a failure.
    public init(_ code: Code, _ message: String, wireCode: UInt64? = nil, limit: Int? = nil) {
        self.code = code
        self.message = message
        self.wireCode = wireCode
        self.limit = limit
    }

    /// Says that the session is over, how, and what cannot be done therefore.
    static func sessionClosed(_ info: WebTransportCloseInfo, _ what: String) -> WebTransportError {
        let isOnWire = info.origin == .local || info.origin == .peer
        return WebTransportError(
            .sessionClosed,
            "\(what): the session was \(info)",
            wireCode: isOnWire ? info.code : nil
        )
    }
}

extension WebTransportError: CustomStringConvertible {
    /// The kind and the message in one line.
    public var description: String {
        var text = "\(self.code): \(self.message)"
        if let wireCode = self.wireCode { text += " (code \(wireCode))" }
        if let limit = self.limit { text += " (limit \(limit))" }
        return text
    }
}
