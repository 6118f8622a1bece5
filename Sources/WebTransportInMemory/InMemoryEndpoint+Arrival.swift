// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

extension InMemoryEndpoint {
    /// Takes a packet from the link.
    func arrive(_ packet: InMemoryPacket) {
        guard !self.isClosed else { return }
        self.didReceive(packet)
        for frame in packet.frames {
            // Each of them may end the session.
            guard !self.isClosed, let manager = self.manager else { return }
            self.receive(frame, manager: manager)
        }
    }

    private func receive(_ frame: InMemoryPacket.Frame, manager: WebTransportStreamManager) {
        switch frame {
        case .stream(let id, let offset, let bytes, let isFinal):
            guard let stream = self.receivingStream(id, manager: manager) else {
                manager.discarded(bytes.count)
                return
            }
            stream.insert(InboundStream.Piece(offset: offset, bytes: bytes, isFinal: isFinal))
            while self.inbound[id] === stream, let piece = stream.next() {
                manager.received(piece.bytes.span, isFinished: piece.isFinal, on: stream.token)
            }
        case .datagram(let bytes):
            manager.receivedDatagram(bytes.span)
        case .resetStream(let id, let code):
            guard let stream = self.receivingStream(id, manager: manager) else { return }
            manager.streamWasReset(stream.token, code: code)
        case .stopSending(let id, let code):
            if !id.isInitiated(by: self.role) {
                // The stop may come before anything else of the stream.
                _ = self.receivingStream(id, manager: manager)
            }
            guard let token = self.outbound[id]?.token else { return }
            manager.peerStoppedSending(token, code: code)
        case .maxStreamData(let id, let limit):
            self.raiseSendLimit(of: id, to: limit)
        case .maxData(let limit):
            self.raiseSendLimit(to: limit)
        case .maxStreams(let isUnidirectional, let limit):
            self.raiseOpenLimit(isUnidirectional: isUnidirectional, to: limit)
            manager.streamCreditChanged(unidirectional: isUnidirectional)
        case .drain:
            manager.peerIsDraining()
        case .close(let code, let reason):
            self.shutDown()
            manager.transportClosed(WebTransportCloseInfo(origin: .peer, code: code, reason: reason))
        }
    }

    /// The receiving half of a stream, made at the first sign of a stream of the peer; nil when it is gone or refused.
    private func receivingStream(_ id: StreamID, manager: WebTransportStreamManager) -> InboundStream? {
        if let stream = self.inbound[id] { return stream }
        guard !id.isInitiated(by: self.role) else { return nil }
        guard self.accepts(id) else {
            manager.close(code: 4, reason: "stream limit exceeded")
            return nil
        }
        guard self.isFirstSign(of: id) else { return nil }
        guard let token = manager.acceptStream(id) else {
            self.enqueue(.stopSending(id, code: 0))
            if !id.isUnidirectional { self.enqueue(.resetStream(id, code: 0)) }
            self.replenish(isUnidirectional: id.isUnidirectional)
            return nil
        }
        let stream = InboundStream(token: token)
        self.inbound[id] = stream
        if !id.isUnidirectional { self.addOutbound(id, token: token, priority: .default) }
        return stream
    }

    /// Whether nothing was heard of a stream before; from now on something was.
    private func isFirstSign(of id: StreamID) -> Bool {
        let index = id.rawValue >> 2
        let next = self.nextPeer[isUnidirectional: id.isUnidirectional]
        if index < next { return self.unseen.remove(id) != nil }
        for skipped in next..<index {
            self.unseen.insert(StreamID(rawValue: skipped << 2 | (id.rawValue & 3)))
        }
        self.nextPeer[isUnidirectional: id.isUnidirectional] = index + 1
        return true
    }

    /// Counts bytes that nobody will get, once the manager is done with what it is doing.
    func discardLater(_ count: Int) {
        guard count > 0 else { return }
        _ = self.loop.schedule(at: self.loop.now) { [weak self] in
            self?.manager?.discarded(count)
        }
    }
}
