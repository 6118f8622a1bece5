// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// What the manager asks for.
extension InMemoryEndpoint {
    var currentTime: UInt64 { self.loop.now.microseconds }

    var maximumDatagramSize: Int { self.isClosed ? 0 : self.configuration.maximumDatagramSize }

    func openStream(
        unidirectional: Bool,
        priority: StreamPriority,
        token: StreamToken
    ) throws(WebTransportError) -> StreamID {
        guard !self.isClosed else { throw WebTransportError(.sessionClosed, "the link is closed") }
        let id = self.nextStreamID(isUnidirectional: unidirectional)
        self.addOutbound(id, token: token, priority: priority)
        if !unidirectional { self.inbound[id] = InboundStream(token: token) }
        return id
    }

    func streamBecameReady(_ id: StreamID, token: StreamToken) {
        self.makeReady(id)
    }

    func setPriority(_ priority: StreamPriority, of id: StreamID, token: StreamToken) {
        self.outbound[id]?.priority = priority
    }

    func streamCredit(unidirectional: Bool) -> UInt64 {
        self.openCredit(isUnidirectional: unidirectional)
    }

    /// Nothing: the manager hears of every change.
    func awaitStreamCredit(unidirectional: Bool) {}

    func isAcknowledged(_ count: UInt64, of id: StreamID) -> Bool {
        self.outbound[id].map { $0.offset >= count && $0.unacknowledged == 0 } ?? true
    }

    func resetStream(_ id: StreamID, code: UInt64, token: StreamToken) {
        let waitsForCredit = self.outbound[id]?.waitsForCredit == true
        self.removeOutbound(id)
        if waitsForCredit {
            // The peer may not hear of the stream before it allows it.
            self.heldResets[id] = code
        } else {
            self.enqueue(.resetStream(id, code: code))
        }
    }

    func drainTransport() {
        self.enqueue(.drain)
    }

    func stopSending(_ id: StreamID, code: UInt64, received: UInt64, token: StreamToken) {
        self.enqueue(.stopSending(id, code: code))
    }

    func raiseReceiveLimit(of id: StreamID, to limit: UInt64, received: UInt64, token: StreamToken) {
        self.enqueue(.maxStreamData(id, limit: limit))
    }

    func raiseSessionReceiveLimit(to limit: UInt64) {
        self.enqueue(.maxData(limit: limit))
    }

    func datagramsBecameReady() {
        self.makeDatagramsReady()
    }

    func streamRetired(_ id: StreamID, token: StreamToken) {
        let rest = self.inbound.removeValue(forKey: id)?.waitingByteCount ?? 0
        if !id.isInitiated(by: self.role) {
            self.replenish(isUnidirectional: id.isUnidirectional)
        }
        self.discardLater(rest)
    }

    func closeTransport(code: UInt64, reason: String) {
        self.shutDown()
        self.sendClose(code: code, reason: reason)
    }
}
