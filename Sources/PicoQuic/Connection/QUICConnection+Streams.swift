// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims

/// Streams, by their numbers. (loop)
extension QUICConnection {
    /// How many further streams of a kind the peer allows to be opened now.
    public func streamCredit(isUnidirectional: Bool) -> UInt64 {
        guard let cnx = unsafe self.cnx else {
            return 0
        }
        let limit = unsafe cpq_stream_limit(cnx, isUnidirectional ? 1 : 0)
        let taken = unsafe cpq_streams_taken(cnx, isUnidirectional ? 1 : 0)
        return limit > taken ? limit - taken : 0
    }

    /// Takes the next stream of ours and keeps `token` with it.
    ///
    /// A stream beyond the peer's limit is taken all the same and starts to send when the peer raises the limit; who
    /// does not want that looks at ``streamCredit(isUnidirectional:)`` first.
    /// - Parameter token: comes back with every event of the stream; not 0, or its release is not reported.
    /// - Returns: the stream's number.
    /// - Throws: `connectionClosed`; `streamLimit` when numbers have run out.
    public func openStream(isUnidirectional: Bool, token: UInt64) throws(QUICError) -> UInt64 {
        let cnx = try unsafe self.open(to: "open a stream")
        let stream = unsafe picoquic_get_next_local_stream_id(cnx, isUnidirectional ? 1 : 0)
        try self.reserve(stream: stream, token: token)
        if self.context.holdsWindows, !isUnidirectional {
            _ = unsafe picoquic_set_app_flow_control(cnx, stream, 1)
        }
        return stream
    }

    /// Keeps `token` with a stream: one that the peer opened, or the next of ours, which this takes.
    /// - Throws: `connectionClosed`, `streamClosed` when there is no such stream.
    public func reserve(stream: UInt64, token: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open(to: "use stream \(stream)")
        let outcome = unsafe picoquic_set_app_stream_ctx(cnx, stream, Self.pointer(token))
        guard outcome == 0 else {
            throw QUICError(.streamClosed, "stream \(stream) cannot be used", wireCode: UInt64(clamping: outcome))
        }
    }

    /// Says that the stream has something to send: the delegate is asked for it when there is room.
    /// - Throws: `connectionClosed`; `streamClosed` when the stream has been finished or reset, or is not for this side to
    ///   send on. The message says which.
    public func markActive(stream: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open(to: "send on stream \(stream)")
        guard self.sends(on: stream), unsafe self.wasOpened(stream, cnx),
            unsafe picoquic_mark_active_stream_v2(cnx, stream, 1) == 0
        else {
            throw QUICError(.streamClosed, "cannot send on stream \(stream): \(unsafe self.whyNotSending(stream, cnx))")
        }
    }

    /// Sets the stream's place in the sending order: lower goes first; among equals an odd priority means in the order
    /// of stream numbers, an even one fair shares.
    public func setPriority(_ priority: UInt8, stream: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open(to: "set the priority of stream \(stream)")
        guard unsafe self.wasOpened(stream, cnx), unsafe picoquic_set_stream_priority(cnx, stream, priority) == 0 else {
            let why = unsafe self.whyNotSending(stream, cnx)
            throw QUICError(.streamClosed, "cannot set the priority of stream \(stream): \(why)")
        }
    }

    /// Whether the first `count` bytes that were sent on the stream were acknowledged. Also true when the stream or the
    /// connection is over.
    public func isAcknowledged(stream: UInt64, count: UInt64) -> Bool {
        guard let cnx = unsafe self.cnx else {
            return true
        }
        return unsafe cpq_is_acknowledged(cnx, stream, count) != 0
    }

    /// Gives up sending on the stream (RESET_STREAM). The token stays with the stream until it is released.
    /// - Parameter code: the application's code. What does not fit 62 bits is sent as the largest code that does.
    /// - Throws: `connectionClosed`; `streamClosed` when all of it has been delivered already, it does not exist, or is not
    ///   for this side to send on.
    public func reset(stream: UInt64, code: UInt64, token: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open(to: "reset stream \(stream)")
        guard self.sends(on: stream) else {
            // The peer would end the connection for it (RFC 9000 section 19.4).
            throw QUICError(.streamClosed, "cannot reset stream \(stream): \(unsafe self.whyNotSending(stream, cnx))")
        }
        let outcome = unsafe picoquic_reset_stream(cnx, stream, min(code, Self.largestCode))
        // The library drops the context with the reset; without one the release would not be reported.
        _ = unsafe cpq_attach_stream_context(cnx, stream, Self.pointer(token))
        guard outcome == 0 else {
            throw QUICError(.streamClosed, "cannot reset stream \(stream): \(unsafe self.whyNotSending(stream, cnx))")
        }
    }

    /// Asks the peer to send nothing more on the stream (STOP_SENDING). Data that still arrives is not reported.
    /// - Parameter code: the application's code. What does not fit 62 bits is sent as the largest code that does.
    /// - Throws: `connectionClosed`; `streamClosed` when the peer has reset it already, it does not exist, or only this side
    ///   sends on it.
    public func stopSending(stream: UInt64, code: UInt64, token: UInt64) throws(QUICError) {
        let cnx = try unsafe self.open(to: "stop stream \(stream)")
        guard self.receives(on: stream) else {
            // The peer would end the connection for it (RFC 9000 section 19.5).
            throw QUICError(.streamClosed, "cannot stop stream \(stream): only this side sends on it")
        }
        let code = min(code, Self.largestCode)
        if unsafe self.opens(stream) && self.wasOpened(stream, cnx) && !self.isWithinLimit(stream, cnx) {
            // The library would send it at once, and the peer end the connection for it (RFC 9000 section 4.6).
            self.waitingStops[stream] = code
            return
        }
        guard unsafe self.sendStop(of: stream, code: code, token: token, cnx) else {
            throw QUICError(.streamClosed, "cannot stop stream \(stream): it is over, or there is no such stream")
        }
    }

    /// Sends the STOP_SENDING that has waited until the peer could know its stream.
    /// - Returns: whether there was one.
    func sendWaitingStop(of stream: UInt64, token: UInt64, _ cnx: OpaquePointer) -> Bool {
        guard let code = self.waitingStops[stream], unsafe self.isWithinLimit(stream, cnx) else {
            return false
        }
        self.waitingStops[stream] = nil
        _ = unsafe self.sendStop(of: stream, code: code, token: token, cnx)
        return true
    }

    private func sendStop(of stream: UInt64, code: UInt64, token: UInt64, _ cnx: OpaquePointer) -> Bool {
        let outcome = unsafe picoquic_stop_sending(cnx, stream, code)
        _ = unsafe cpq_attach_stream_context(cnx, stream, Self.pointer(token))
        return outcome == 0
    }

    /// Whether the peer allows a bidirectional stream of ours to be opened.
    private func isWithinLimit(_ stream: UInt64, _ cnx: OpaquePointer) -> Bool {
        unsafe stream >> 2 < cpq_stream_limit(cnx, 0)
    }

    /// Lets the peer send on the stream up to this offset. With ``QUICConfiguration/FlowControl/application`` nobody
    /// else raises the limit.
    /// - Returns: whether the limit is known to the library now. Before the connection is ready it takes no new limits.
    @discardableResult
    public func raiseReceiveLimit(stream: UInt64, to limit: UInt64) -> Bool {
        guard self.isOpen, let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe cpq_raise_stream_window(cnx, stream, limit) == 0
    }

    /// Lets the peer send up to this many bytes over all streams.
    /// - Returns: whether the limit is known to the library now. Before the connection is ready it takes no new limits.
    @discardableResult
    public func raiseReceiveLimit(to limit: UInt64) -> Bool {
        guard self.isOpen, let cnx = unsafe self.cnx else {
            return false
        }
        return unsafe cpq_raise_connection_window(cnx, limit) == 0
    }

    // MARK: - Numbers and states

    /// Whether the number is one that this side gives to its streams (RFC 9000 section 2.1).
    private func opens(_ stream: UInt64) -> Bool { (stream & 1 == 0) == (self.role == .client) }

    private func sends(on stream: UInt64) -> Bool { stream & 2 == 0 || self.opens(stream) }

    private func receives(on stream: UInt64) -> Bool { stream & 2 == 0 || !self.opens(stream) }

    /// Whether a stream of ours has been opened: the library opens it, and all before it, when it is used.
    private func wasOpened(_ stream: UInt64, _ cnx: OpaquePointer) -> Bool {
        let isUnidirectional: CInt = stream & 2 == 0 ? 0 : 1
        return unsafe !self.opens(stream) || stream < picoquic_get_next_local_stream_id(cnx, isUnidirectional)
    }

    private func whyNotSending(_ stream: UInt64, _ cnx: OpaquePointer) -> String {
        guard self.sends(on: stream) else {
            return "only the peer sends on it"
        }
        switch Int(unsafe cpq_send_state(cnx, stream)) {
        case CPQ_SEND_FINISHED:
            return "its end has been sent"
        case CPQ_SEND_RESET:
            return "it has been reset"
        default:
            return unsafe self.opens(stream) && self.wasOpened(stream, cnx) ? "it is over" : "there is no such stream"
        }
    }

    private static func pointer(_ token: UInt64) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(token))
    }
}
