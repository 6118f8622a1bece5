// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims

// The functions that the library calls. Each finds its object, makes one call and returns; none can throw.

/// An event of a connection.
///
/// - Thread: the loop's (once all is torn down, the thread that deletes the connections there).
/// - Pointers: `cnx` is valid during the call. `bytes` is valid during the call; for the prepare events it is an opaque
///   context instead. `callbackContext` is a handle, or for a connection that is new the context itself.
/// - Allowed inside: every call of the library except deleting the connection.
/// - Ownership: nothing is taken over. The context is kept alive by its own retain until after the last callback.
/// - Returns: 0, also for what comes late, of a connection that has ended; an error for an event without an owner, which
///   makes the library close that connection.
@c
func picoquicConnectionEvent(
    _ cnx: OpaquePointer?,
    _ stream: UInt64,
    _ bytes: UnsafeMutablePointer<UInt8>?,
    _ count: Int,
    _ event: picoquic_call_back_event_t,
    _ callbackContext: UnsafeMutableRawPointer?,
    _ streamContext: UnsafeMutableRawPointer?
) -> CInt {
    let unowned = CInt(PICOQUIC_ERROR_UNEXPECTED_ERROR)
    guard let cnx = unsafe cnx, let quic = unsafe picoquic_get_quic_ctx(cnx),
        let context = unsafe picoquic_get_default_callback_context(quic)
    else {
        return unowned
    }
    // Without references of its own: it is called for each packet, and the driver keeps the context.
    return unsafe Unmanaged<QUICContext>.fromOpaque(context)._withUnsafeGuaranteedRef { context in
        guard let connection = unsafe context.connection(for: cnx, callbackContext: callbackContext) else {
            return unsafe context.knew(callbackContext) ? 0 : unowned
        }
        return unsafe connection.handle(
            event,
            cnx: cnx,
            stream: stream,
            bytes: bytes,
            count: count,
            streamContext: streamContext
        )
    }
}

/// Chooses one of the protocols that a client offers: the first of ours that is among them.
///
/// - Thread: the loop's, while a ClientHello is processed.
/// - Pointers: `offers` holds `count` entries that are valid during the call.
/// - Returns: the index of the choice, or `count` for none, which fails the handshake with no_application_protocol.
@c
func picoquicSelectProtocol(
    _ quic: OpaquePointer?,
    _ offers: UnsafeMutablePointer<picoquic_iovec_t>?,
    _ count: Int
) -> Int {
    guard let quic = unsafe quic, let context = unsafe quicContext(of: quic) else {
        return count
    }
    let offers = unsafe UnsafeBufferPointer(start: offers, count: offers == nil ? 0 : count).map { offer in
        unsafe UnsafeBufferPointer(start: offer.base, count: offer.len)
    }
    for name in context.configuration.applicationProtocols {
        if let index = unsafe offers.firstIndex(where: { unsafe $0.elementsEqual(name.utf8) }) {
            return index
        }
    }
    unsafe context.noteNoCommonProtocol(offers)
    return count
}

/// A server has sent a session ticket.
///
/// - Thread: the loop's, while a packet of the server is processed.
/// - Pointers: `cnx` and `ticket` are valid during the call.
@c
func picoquicTicketReceived(_ cnx: OpaquePointer?, _ ticket: UnsafePointer<cpq_ticket>?) {
    guard let cnx = unsafe cnx, let ticket = unsafe ticket, let quic = unsafe picoquic_get_quic_ctx(cnx),
        let context = unsafe quicContext(of: quic),
        let handle = unsafe ConnectionHandle(picoquic_get_callback_context(cnx))
    else {
        return
    }
    unsafe context.connections.find(handle)?.received(ticket.pointee)
}

/// The object that belongs to a context of the library; nil while it is being set up.
private func quicContext(of quic: OpaquePointer) -> QUICContext? {
    guard let pointer = unsafe picoquic_get_default_callback_context(quic) else {
        return nil
    }
    return unsafe Unmanaged<QUICContext>.fromOpaque(pointer).takeUnretainedValue()
}
