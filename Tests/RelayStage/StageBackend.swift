// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

/// What is below a ``StageTransport``: it notes what has something to send, and nothing moves by itself. Loop only.
final class StageBackend: WebTransportStreamBackend {
    /// A datagram has room for an object of 1,000 bytes and for its header.
    let maximumDatagramSize = 1_200
    /// The streams that have something to send, in the order in which they said so.
    var ready: [(id: StreamID, token: StreamToken)] = []
    /// Whether there are datagrams.
    var hasDatagrams = false
    /// The tokens of the streams that live.
    var tokens: [StreamID: StreamToken] = [:]

    private let role: WebTransportRole
    private let loop: PacketLoop
    private var opened: (unidirectional: UInt64, bidirectional: UInt64) = (0, 0)

    init(role: WebTransportRole, loop: PacketLoop) {
        self.role = role
        self.loop = loop
        self.ready.reserveCapacity(64)
    }

    var currentTime: UInt64 { self.loop.now.microseconds }

    func openStream(
        unidirectional: Bool,
        priority: StreamPriority,
        token: StreamToken
    ) throws(WebTransportError) -> StreamID {
        let index = unidirectional ? self.opened.unidirectional : self.opened.bidirectional
        if unidirectional {
            self.opened.unidirectional += 1
        } else {
            self.opened.bidirectional += 1
        }
        let id = StreamID(rawValue: index << 2 | (unidirectional ? 2 : 0) | (self.role == .client ? 0 : 1))
        self.tokens[id] = token
        return id
    }

    func streamCredit(unidirectional: Bool) -> UInt64 { 1 << 60 }

    func awaitStreamCredit(unidirectional: Bool) {}

    func streamBecameReady(_ id: StreamID, token: StreamToken) {
        self.ready.append((id, token))
    }

    func setPriority(_ priority: StreamPriority, of id: StreamID, token: StreamToken) {}

    func isAcknowledged(_ count: UInt64, of id: StreamID) -> Bool { true }

    func resetStream(_ id: StreamID, code: UInt64, token: StreamToken) {}

    func stopSending(_ id: StreamID, code: UInt64, received: UInt64, token: StreamToken) {}

    func raiseReceiveLimit(of id: StreamID, to limit: UInt64, received: UInt64, token: StreamToken) {}

    func raiseSessionReceiveLimit(to limit: UInt64) {}

    func datagramsBecameReady() {
        self.hasDatagrams = true
    }

    func streamRetired(_ id: StreamID, token: StreamToken) {
        self.tokens[id] = nil
    }

    func drainTransport() {}

    func closeTransport(code: UInt64, reason: String) {}
}
