// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

extension ChaosReader {
    /// Has a task read the stream to its end, or until it is cancelled: then another one goes on.
    func beginToRead(_ stream: ReceiveStream) {
        guard let peer = self.peer else { return }
        self.hasTask = true
        let bound = LoopBound((reader: self, stream: stream), on: peer.loop)
        peer.wait(for: "reading stream \(self.id)", patience: self.isSettled ? nil : self.temper.patience) { _ in
            let (reader, stream) = bound.value
            await reader.read(stream)
        }
    }

    private func read(_ stream: ReceiveStream) async {
        do throws(WebTransportError) {
            while let bytes = try await stream.read(atMost: self.random.size(upTo: 20_000)) {
                self.take(bytes.array, isFinished: false, of: bytes.count, from: stream)
            }
            self.take([], isFinished: true, of: 0, from: stream)
        } catch {
            self.conclude(error, stream)
        }
    }

    /// Sees what ended the reading.
    private func conclude(_ error: WebTransportError, _ stream: ReceiveStream) {
        guard let peer = self.peer else { return }
        switch error.code {
        case .streamReset:
            self.receiveStream(stream, wasResetWith: error.wireCode ?? 0)
        case .sessionClosed:
            peer.expect(peer.isOver, .told, "stream \(self.id) knows of an end, and the handler does not")
            self.receiveStreamSessionClosed(stream)
        case .streamClosed:
            peer.expect(self.phase == .stopped, .misuse, "reading open stream \(self.id) failed: \(error)")
        case .cancelled:
            peer.expect(Task.isCancelled, .waiter, "reading stream \(self.id) was not cancelled: \(error)")
            self.hasTask = false
            // Until another one reads nobody else may hold the stream, and its end is still to be heard.
            self.held = stream
            if peer.isOver { self.install() } else { self.later(milliseconds: self.temper.delay) }
        default:
            peer.violate(.misuse, "reading stream \(self.id) failed: \(error)")
        }
    }
}
