// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// A session that forwards to a manager and has nothing below it but a `FakeBackend`.
final class FakeSession: WebTransportSession {
    let backend = FakeBackend()
    let manager: WebTransportStreamManager
    let negotiatedProtocol: String? = nil
    let localAddress = ""
    let peerAddress = ""

    init(_ configuration: WebTransportConfiguration = WebTransportConfiguration()) {
        self.manager = WebTransportStreamManager(role: .client, configuration: configuration, backend: self.backend)
        self.manager.session = self
    }

    deinit {
        self.manager.session = nil
    }

    var role: WebTransportRole { .client }
    var handler: (any WebTransportHandler)? {
        get { self.manager.handler }
        set { self.manager.handler = newValue }
    }
    var maximumDatagramSize: Int { self.manager.maximumDatagramSize }
    var queuedByteCount: Int { self.manager.queuedByteCount }
    var statistics: WebTransportStatistics { self.manager.statistics }

    func openUnidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> SendStream {
        try self.manager.openUnidirectionalStream(priority: priority)
    }

    func openBidirectionalStream(priority: StreamPriority) throws(WebTransportError) -> BidirectionalStream {
        try self.manager.openBidirectionalStream(priority: priority)
    }

    func streamCredit(unidirectional: Bool) -> Int {
        self.manager.streamCredit(unidirectional: unidirectional)
    }

    func waitForStreamCredit(unidirectional: Bool) async throws(WebTransportError) {
        try await self.manager.waitForStreamCredit(unidirectional: unidirectional)
    }

    func drain() {
        self.manager.drain()
    }

    func waitUntilDrained() async throws(WebTransportError) {
        try await self.manager.waitUntilDrained()
    }

    func sendDatagram(_ bytes: Bytes, lifetime: Duration?, order: DatagramOrder) throws(WebTransportError) {
        try self.manager.sendDatagram(bytes, lifetime: lifetime, order: order)
    }

    func close(code: UInt64, reason: String) {
        self.manager.close(code: code, reason: reason)
    }

    /// Asks a stream for bytes as a transport would.
    func take(_ token: StreamToken, maximum: Int) -> (bytes: [UInt8], offer: EgressOffer) {
        let offer = self.manager.prepareToSend(token, maximum: maximum)
        guard !offer.isEmpty else { return ([], offer) }
        var bytes = [UInt8](repeating: 0, count: offer.count)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            _ = unsafe self.manager.takeOffered(offer, of: token, into: buffer)
        }
        return (bytes, offer)
    }

    /// Takes the next datagram as a transport would.
    func takeDatagram(maximum: Int) -> [UInt8]? {
        guard case .ready(let count, _) = self.manager.prepareDatagram(maximum: maximum) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            _ = unsafe self.manager.takeDatagram(into: buffer)
        }
        return bytes
    }

    /// Reports bytes as a transport would.
    func deliver(_ bytes: [UInt8], isFinished: Bool = false, on token: StreamToken) {
        self.manager.received(Bytes(bytes).span, isFinished: isFinished, on: token)
    }
}
