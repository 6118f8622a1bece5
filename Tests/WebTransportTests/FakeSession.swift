// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// A session that forwards to a manager and has nothing below it but a `FakeBackend`.
final class FakeSession: ManagedWebTransportSession {
    let backend = FakeBackend()

    init(_ configuration: WebTransportConfiguration = WebTransportConfiguration()) {
        super.init(
            manager: WebTransportStreamManager(role: .client, configuration: configuration, backend: self.backend)
        )
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
