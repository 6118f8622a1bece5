// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquicShims

/// What a client keeps of a connection to be able to resume it.
struct SessionTicket: Hashable, Sendable {
    /// How long after the last look at a server's certificate a ticket is still used, in seconds. Each resumed connection
    /// gives a new ticket; without a limit a certificate would be looked at once and never again, and the protocol that was
    /// chosen then would stay for ever.
    static let longestTrust: UInt64 = 24 * 3_600

    /// The longest ticket that is kept.
    static let longest = 4_096

    /// How picotls writes a ticket: when it was obtained (8 bytes, milliseconds), key exchange (2), cipher suite (2), the
    /// length of the message (3), its lifetime (4, seconds), …
    private static let shortest = 19

    /// The application protocol that was spoken.
    var applicationProtocol: String
    /// The version of QUIC.
    var version: UInt32
    /// What the server allowed to be sent, in the order of `cpq_ticket`.
    var limits: [UInt64]
    /// The address of the server, without the port.
    var address: String
    /// When the server's certificate was looked at, in seconds of the system's clock.
    var authenticated: UInt64
    /// The ticket, which includes the secret that goes with it.
    var bytes: [UInt8]

    /// Checks the parts. Nil when they cannot be those of a ticket.
    init?(
        applicationProtocol: String,
        version: UInt32,
        limits: [UInt64],
        address: String,
        authenticated: UInt64,
        bytes: [UInt8]
    ) {
        guard limits.count == 6, limits.allSatisfy({ $0 < 1 << 62 }), bytes.count >= Self.shortest,
            bytes.count <= Self.longest, !applicationProtocol.isEmpty, applicationProtocol.utf8.count <= 255
        else {
            return nil
        }
        self.applicationProtocol = applicationProtocol
        self.version = version
        self.limits = limits
        self.address = address
        self.authenticated = authenticated
        self.bytes = bytes
    }

    /// Whether it is of use at a time, in seconds of the system's clock.
    func isValid(at now: UInt64) -> Bool {
        let obtained = self.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } / 1_000
        let lifetime = self.bytes.dropFirst(15).prefix(4).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return obtained <= now && now - obtained < lifetime && self.authenticated <= now
            && now - self.authenticated < Self.longestTrust
    }

    /// Calls with the ticket as C has it, valid during the call.
    func withC<R>(_ body: (UnsafePointer<cpq_ticket>) -> R) -> R {
        unsafe self.applicationProtocol.withCString { name in
            unsafe self.bytes.withUnsafeBufferPointer { buffer in
                var ticket = unsafe cpq_ticket()
                unsafe ticket.protocol = name
                unsafe ticket.version = self.version
                unsafe ticket.limits = (
                    self.limits[0], self.limits[1], self.limits[2], self.limits[3], self.limits[4], self.limits[5]
                )
                unsafe ticket.bytes = buffer.baseAddress
                unsafe ticket.count = buffer.count
                return unsafe body(&ticket)
            }
        }
    }
}
