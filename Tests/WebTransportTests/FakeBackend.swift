// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// A transport that only writes down what it is asked to do.
final class FakeBackend: WebTransportStreamBackend {
    enum Call: Equatable {
        case ready(UInt64)
        case priority(UInt64, UInt8)
        case reset(UInt64, code: UInt64)
        case stop(UInt64, code: UInt64, received: UInt64)
        case streamLimit(UInt64, UInt64)
        case sessionLimit(UInt64)
        case datagrams
        case creditAwaited(unidirectional: Bool)
        case drain
        case retired(UInt64)
        case close(UInt64, String)
    }

    var calls: [Call] = []
    var currentTime: UInt64 = 0
    var maximumDatagramSize = 1_000
    var refusesStreams = false
    /// How many more streams the peer allows.
    var credit: UInt64 = 1 << 60
    /// The tokens of the streams opened here, by number.
    var tokens: [UInt64: StreamToken] = [:]
    private var nextIndex: UInt64 = 0

    func openStream(
        unidirectional: Bool,
        priority: StreamPriority,
        token: StreamToken
    ) throws(WebTransportError) -> StreamID {
        if self.refusesStreams { throw WebTransportError(.streamLimit, "no more") }
        let id = StreamID(rawValue: self.nextIndex << 2 | (unidirectional ? 2 : 0))
        self.nextIndex += 1
        self.credit -= min(self.credit, 1)
        self.tokens[id.rawValue] = token
        return id
    }

    func streamCredit(unidirectional: Bool) -> UInt64 { self.credit }

    func awaitStreamCredit(unidirectional: Bool) {
        self.calls.append(.creditAwaited(unidirectional: unidirectional))
    }

    func drainTransport() {
        self.calls.append(.drain)
    }

    func streamBecameReady(_ id: StreamID, token: StreamToken) {
        self.calls.append(.ready(id.rawValue))
    }

    func setPriority(_ priority: StreamPriority, of id: StreamID, token: StreamToken) {
        self.calls.append(.priority(id.rawValue, priority.rawValue))
    }

    /// How many bytes of each stream were acknowledged.
    var acknowledged: [UInt64: UInt64] = [:]

    func isAcknowledged(_ count: UInt64, of id: StreamID) -> Bool {
        self.acknowledged[id.rawValue, default: 0] >= count
    }

    func resetStream(_ id: StreamID, code: UInt64, token: StreamToken) {
        self.calls.append(.reset(id.rawValue, code: code))
    }

    func stopSending(_ id: StreamID, code: UInt64, received: UInt64, token: StreamToken) {
        self.calls.append(.stop(id.rawValue, code: code, received: received))
    }

    func raiseReceiveLimit(of id: StreamID, to limit: UInt64, received: UInt64, token: StreamToken) {
        self.calls.append(.streamLimit(id.rawValue, limit))
    }

    func raiseSessionReceiveLimit(to limit: UInt64) {
        self.calls.append(.sessionLimit(limit))
    }

    func datagramsBecameReady() {
        self.calls.append(.datagrams)
    }

    func streamRetired(_ id: StreamID, token: StreamToken) {
        self.calls.append(.retired(id.rawValue))
    }

    func closeTransport(code: UInt64, reason: String) {
        self.calls.append(.close(code, reason))
    }
}
