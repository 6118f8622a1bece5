// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims

extension QUICConnection {
    /// What became of data that was sent before the handshake was complete (0-RTT, RFC 9001 section 4.6).
    public enum EarlyData: String, Sendable, Hashable {
        /// There was none.
        case none
        /// The server did not take it. The library has sent it again.
        case refused
        /// The server took it.
        case accepted
    }

    /// A client's means to come back to the server, and those by which it came.
    @safe
    struct Return {
        /// The server's name in the ticket store.
        var server: String
        /// When the server's certificate was looked at, if that was not in this connection.
        var authenticated: UInt64?
        /// The ticket, where the library has it.
        var offered: UnsafeMutableRawPointer?
        /// Whether there was somebody to send before the handshake was complete.
        var isEarly = false

        init(server: String) {
            self.server = server
            unsafe self.offered = nil
        }
    }

    /// Whether the handshake resumed an earlier connection instead of verifying a certificate. Final when the connection is
    /// almost ready.
    public var isResumed: Bool {
        guard let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe picoquic_tls_is_psk_handshake(cnx) != 0
    }

    /// What became of 0-RTT data. Final, for a client, when the connection is almost ready, and for a server when it is
    /// ready.
    public var earlyData: EarlyData {
        // Without somebody to send, the library fills its first packets with nothing at all.
        guard let cnx = unsafe self.cnx, self.role == .server || self.way?.isEarly == true else {
            return .none
        }
        switch unsafe cpq_early_data(cnx) {
        case CInt(CPQ_EARLY_DATA_ACCEPTED): return .accepted
        case CInt(CPQ_EARLY_DATA_REFUSED): return .refused
        default: return .none
        }
    }

    /// Whether a client may send now, before its handshake is complete.
    var canSendEarly: Bool {
        guard let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe picoquic_is_0rtt_available(cnx) != 0
    }

    /// Goes on within the limits that the server has now, when it did not accept the remembered ones.
    func settleEarlyData() {
        guard let cnx = unsafe self.cnx, unsafe self.way?.offered != nil else {
            return
        }
        unsafe cpq_forget_early_limits(cnx)
    }

    /// Keeps a ticket of the server. (inside the library's callback)
    func received(_ ticket: cpq_ticket) {
        guard let store = self.context.configuration.ticketStore, let way = self.way,
            let name = unsafe String(validatingCString: ticket.protocol), let address = self.peerAddress?.host
        else {
            return
        }
        let limits = unsafe [
            ticket.limits.0, ticket.limits.1, ticket.limits.2, ticket.limits.3, ticket.limits.4, ticket.limits.5,
        ]
        let kept = unsafe SessionTicket(
            applicationProtocol: name,
            version: ticket.version,
            limits: limits,
            address: address,
            authenticated: (self.isResumed ? way.authenticated : nil) ?? QUICTicketStore.now,
            bytes: [UInt8](
                UnsafeBufferPointer(start: ticket.bytes, count: min(ticket.count, SessionTicket.longest + 1))
            )
        )
        if let kept {
            store.keep(kept, for: way.server)
        }
    }

    /// Keeps the server's address token and lets go of the ticket that was used. (when the library is done with the
    /// connection)
    func leaveForReturn(_ cnx: OpaquePointer) {
        guard let way = self.way else {
            return
        }
        self.way = nil
        if let store = self.context.configuration.ticketStore {
            var bytes = [UInt8](repeating: 0, count: QUICTicketStore.Token.longest)
            let count = unsafe cpq_take_address_token(cnx, &bytes, QUICTicketStore.Token.longest)
            store.keep(token: Array(bytes.prefix(count)), for: way.server)
        }
        if let offered = unsafe way.offered, let quic = unsafe self.context.raw {
            unsafe cpq_withdraw_ticket(quic, offered)
        }
    }
}
