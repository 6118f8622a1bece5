// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Why something could not be done with QUIC: one clear line, and a code to decide by.
public struct QUICError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error. More kinds may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, Sendable {
            case invalidConfiguration
            case fileUnreadable
            case badCredentials
            case badAddress
            case addressInUse
            case addressUnavailable
            case permissionDenied
            case nameNotResolved
            case unreachable
            case handshakeTimeout
            case certificateRejected
            case noCommonProtocol
            case refused
            case handshakeFailed
            case connectionClosed
            case streamLimit
            case streamClosed
            case datagramsUnsupported
            case invalidState
            case stopped
            case systemFailure
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The name of the kind.
        public var description: String { self.kind.rawValue }

        /// A setting has a value that cannot be used.
        public static let invalidConfiguration = Code(.invalidConfiguration)
        /// A file is missing, cannot be read or written, or does not hold what it should.
        public static let fileUnreadable = Code(.fileUnreadable)
        /// A certificate and a key do not belong together.
        public static let badCredentials = Code(.badCredentials)
        /// An address is not one.
        public static let badAddress = Code(.badAddress)
        /// Somebody else has the port.
        public static let addressInUse = Code(.addressInUse)
        /// The address is not one of this host's.
        public static let addressUnavailable = Code(.addressUnavailable)
        /// The system does not allow it.
        public static let permissionDenied = Code(.permissionDenied)
        /// A host name has no address.
        public static let nameNotResolved = Code(.nameNotResolved)
        /// There is no way to the host, or nobody answers there.
        public static let unreachable = Code(.unreachable)
        /// The peer answers, but the handshake did not finish in time.
        public static let handshakeTimeout = Code(.handshakeTimeout)
        /// The peer's certificate was not accepted.
        public static let certificateRejected = Code(.certificateRejected)
        /// The peer speaks none of the protocols that were offered.
        public static let noCommonProtocol = Code(.noCommonProtocol)
        /// The peer is there and takes no connection now.
        public static let refused = Code(.refused)
        /// The peer answers, but the two sides cannot agree: TLS, the version of QUIC, or one broke the rules.
        public static let handshakeFailed = Code(.handshakeFailed)
        /// The connection has ended.
        public static let connectionClosed = Code(.connectionClosed)
        /// The peer allows no further stream for now.
        public static let streamLimit = Code(.streamLimit)
        /// The stream has ended, or does not exist.
        public static let streamClosed = Code(.streamClosed)
        /// The peer takes no datagrams.
        public static let datagramsUnsupported = Code(.datagramsUnsupported)
        /// The call does not fit the present state, such as starting twice.
        public static let invalidState = Code(.invalidState)
        /// The executor has been stopped.
        public static let stopped = Code(.stopped)
        /// The system or the QUIC library failed in a way that has no kind of its own.
        public static let systemFailure = Code(.systemFailure)
    }

    /// What kind of error it is.
    public var code: Code

    /// One line for a person: what went wrong with which file, port, name or setting.
    public var message: String

    /// The code on the wire, verbatim, where the peer or the transport gave one.
    public var wireCode: UInt64?

    /// Describes an error.
    public init(_ code: Code, _ message: String, wireCode: UInt64? = nil) {
        self.code = code
        self.message = message
        self.wireCode = wireCode
    }

    /// The message.
    public var description: String { self.message }
}
