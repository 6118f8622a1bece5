// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a QUIC endpoint is to be like. Checked by ``validate()`` before anything is opened.
public struct QUICConfiguration: Sendable {
    /// A certificate chain and the key of its first certificate, PEM.
    public enum Credentials: Sendable {
        /// In files.
        case files(certificate: String, key: String)
        /// In memory; nothing is written to a disk.
        case memory(certificate: [UInt8], key: [UInt8])

        /// What ``SelfSignedCertificate`` made.
        public static func selfSigned(_ certificate: SelfSignedCertificate) -> Credentials {
            .memory(certificate: certificate.certificatePEM, key: certificate.privateKeyPEM)
        }
    }

    /// How a client decides whether a server is who it should be. In every mode the server has to prove that it holds
    /// the key of the certificate it shows.
    public enum Verification: Sendable {
        /// The chain must lead to one of the system's roots, and the certificate must name the host.
        case systemRoots
        /// The chain must lead to a certificate in this PEM file, and the certificate must name the host.
        case authority(file: String)
        /// The certificate must be one of these, whatever it names and whoever signed it.
        case pinned([SHA256Fingerprint])
        /// Any certificate will do. The connection is encrypted, but to whom nobody knows.
        case insecure
    }

    /// When a server asks a client to prove its address first, which costs a round trip.
    public enum RetryPolicy: Sendable, Hashable {
        /// Only above the half-open threshold.
        case whenLoaded
        /// As above, and each client gets a token that spares it the round trip next time. So that no token counts twice, the
        /// server remembers each that was shown for a day: 64 bytes, for up to 32 times as many clients as it takes.
        case whenLoadedWithTokens
        /// For every connection.
        case always
    }

    /// Who opens the flow-control windows.
    public enum FlowControl: Sendable, Hashable {
        /// The library, as bytes arrive.
        case automatic
        /// The connection's delegate, as it consumes bytes: streams and the connection stay closed at their first
        /// window until it raises them.
        case application
    }

    /// The server's certificate and key; nil for an endpoint that only connects.
    public var credentials: Credentials?

    /// How servers that we connect to are verified.
    public var verification: Verification = .systemRoots

    /// The application protocols, most preferred first. A server takes the first that the client offers too.
    public var applicationProtocols: [String]

    /// One of ``CongestionControl/names``, with options of the library behind a colon if it takes any: `bbr1:Q0.05`.
    public var congestionControl = "cubic"

    /// Whether peers are offered to say how often they are to be acknowledged (the ACK frequency extension). Some
    /// packets less; without it more regular ones, which is better for congestion control that measures a rate.
    public var offersAcknowledgementFrequency = true

    /// How many bytes a peer may send on a stream ahead of us.
    public var streamReceiveWindow: UInt64 = 1 << 20

    /// How many bytes a peer may send over all streams ahead of us.
    public var connectionReceiveWindow: UInt64 = 8 << 20

    /// Who opens those windows again.
    public var flowControl: FlowControl = .automatic

    /// How many bidirectional streams a peer may have open at a time.
    public var maximumIncomingBidirectionalStreams: UInt64 = 1_024

    /// How many unidirectional streams a peer may have open at a time.
    public var maximumIncomingUnidirectionalStreams: UInt64 = 4_096

    /// After how long a silence a connection is given up.
    public var idleTimeout: Duration = .seconds(30)

    /// How long a handshake may take.
    public var handshakeTimeout: Duration = .seconds(10)

    /// How often a quiet connection shows that it is alive; nil: never.
    public var keepAlive: Duration? = .seconds(10)

    /// The largest DATAGRAM frame that we take; 0 refuses datagrams.
    public var maximumDatagramFrameSize: UInt32 = 1_536

    /// 16 secret bytes that make stateless resets recognisable after a restart; nil: random for each start.
    public var statelessResetSeed: [UInt8]?

    /// The keys of session tickets and address tokens, 32 secret bytes each: the first makes new ones, the second, if there
    /// is one, still opens those that it made. Of two, one must begin with a byte below 0x80 and the other with one above.
    /// Empty: random for each start, so that clients of the time before are not resumed.
    public var ticketKeys: [[UInt8]] = []

    /// Where a client keeps what it needs to resume connections; nil: it does not. Several endpoints may share one.
    public var ticketStore: QUICTicketStore?

    /// Whether data may travel before the handshake is complete (0-RTT). Who sees the packets can send them once more, and
    /// a server cannot tell. So a server must do nothing because of such data that must not happen twice, before the
    /// connection is ready (``QUICConnectionDelegate/connectionIsReady(_:)``), and a client must not send anything that a
    /// server could misunderstand so.
    ///
    /// A server that does not allow it ignores such data, and clients send it again. A client that allows it gets its
    /// delegate before the handshake when it has a ticket, and what that writes leaves at once.
    public var allowsEarlyData = false

    /// When clients have to prove their address.
    public var retryPolicy: RetryPolicy = .whenLoaded

    /// So many unfinished handshakes are taken before clients have to prove their address.
    public var halfOpenThreshold: UInt32 = 1_024

    /// The file that the session keys are appended to, for Wireshark. Whoever reads it can read the traffic.
    public var keyLogFile: String?

    /// The directory, which must exist, that gets one qlog file per connection.
    public var qlogDirectory: String?

    /// How many connections there may be at a time; further ones are refused.
    public var maximumConnections: UInt32 = 8_192

    /// The size of each socket's buffers in the kernel, which may grant less.
    public var socketBufferSize: Int32 = 4 << 20

    /// What carries packets between the network and the library.
    public var packetLoop = PacketLoopKind.standard

    /// For how long the loop looks for packets again and again before it sleeps, up to a second; zero: it sleeps at
    /// once. What comes in that time is served without the system having to wake the thread, at the price of a core
    /// that is busy for as long after everything that happens. With ``PacketLoopKind/epoll`` only.
    public var busyPoll: Duration = .zero

    /// What of the system may be used, if it is there. Less than everything only to find out how it goes without.
    package var usableFeatures: SystemFeatures = .all

    /// A client's configuration; a server's with credentials.
    public init(applicationProtocols: [String], credentials: Credentials? = nil) {
        self.applicationProtocols = applicationProtocols
        self.credentials = credentials
    }
}
