// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter
import PacketLoop
import WebTransport

/// A session on nothing: what it has to send waits until somebody takes it, and what arrives is handed to it. Loop only.
///
/// So a measurement contains what belongs to the session and above, and no link.
@safe
final class StageTransport: ManagedWebTransportSession {
    private let backend: StageBackend
    /// Where bytes go that nobody wants.
    private let waste: UnsafeMutableRawBufferPointer
    /// How many bytes of streams and datagrams ``discard(room:)`` has taken.
    private(set) var discardedByteCount = 0

    init(role: WebTransportRole, loop: PacketLoop) {
        self.backend = StageBackend(role: role, loop: loop)
        unsafe self.waste = .allocate(byteCount: 64 << 10, alignment: 16)
        super.init(
            manager: WebTransportStreamManager(
                role: role,
                configuration: WebTransportConfiguration(),
                backend: self.backend
            )
        )
    }

    deinit {
        unsafe self.waste.deallocate()
    }

    // MARK: From the side of the peer

    /// Takes everything that waits, in pieces of at most so many bytes, and hands it to `body` with the number of its stream,
    /// nil for datagrams. Streams that end are delivered with that. Returns whether there was anything.
    func take(piece: Int = 1 << 16, _ body: (StreamID?, [UInt8], _ isFinal: Bool) -> Void) -> Bool {
        var wasAny = false
        var index = 0
        while index < self.backend.ready.count {
            let (id, token) = self.backend.ready[index]
            index += 1
            while true {
                let offer = self.manager.prepareToSend(token, maximum: piece)
                guard !offer.isEmpty else {
                    break
                }
                wasAny = true
                var bytes = [UInt8](repeating: 0, count: offer.count)
                unsafe bytes.withUnsafeMutableBytes { buffer in
                    _ = unsafe self.manager.takeOffered(offer, of: token, into: buffer)
                }
                body(id, bytes, offer.isFinal)
                if offer.isFinal {
                    self.manager.streamDelivered(token)
                }
                guard offer.isStillActive else {
                    break
                }
            }
        }
        self.backend.ready.removeAll(keepingCapacity: true)
        while case .ready(let count, _) = self.manager.prepareDatagram(maximum: .max) {
            wasAny = true
            var bytes = [UInt8](repeating: 0, count: count)
            unsafe bytes.withUnsafeMutableBytes { buffer in
                _ = unsafe self.manager.takeDatagram(into: buffer)
            }
            body(nil, bytes, false)
        }
        return wasAny
    }

    /// The token of a stream, which is made with the first sign of it.
    func token(of id: StreamID) -> StreamToken? {
        if let token = self.backend.tokens[id] {
            return token
        }
        guard !id.isInitiated(by: self.role), let token = self.manager.acceptStream(id) else {
            return nil
        }
        self.backend.tokens[id] = token
        return token
    }

    /// Hands over what the other side sent.
    func arrive(_ bytes: [UInt8], isFinal: Bool, on id: StreamID?) {
        guard let id else {
            unsafe self.manager.receivedDatagram(bytes.span.bytes)
            return
        }
        if let token = self.token(of: id) {
            unsafe self.manager.received(bytes.span.bytes, isFinished: isFinal, on: token)
        }
    }

    /// Takes everything that waits as a transport does that has room for so many bytes at a time, and throws it away. What the
    /// session does meanwhile is counted, what the stage does is not.
    func discard(room: Int) {
        let manager = self.manager
        let backend = self.backend
        let room = unsafe min(room, self.waste.count)
        var index = 0
        while index < backend.ready.count {
            let token = backend.ready[index].token
            index += 1
            while true {
                operation_counter_resume()
                let offer = manager.prepareToSend(token, maximum: room)
                if !offer.isEmpty {
                    let buffer = unsafe UnsafeMutableRawBufferPointer(start: self.waste.baseAddress, count: offer.count)
                    unsafe manager.takeOffered(offer, of: token, into: buffer)
                    if offer.isFinal {
                        manager.streamDelivered(token)
                    }
                }
                operation_counter_pause()
                self.discardedByteCount += offer.count
                guard offer.isStillActive else {
                    break
                }
            }
        }
        backend.ready.removeAll(keepingCapacity: true)
        while backend.hasDatagrams {
            operation_counter_resume()
            let offer = manager.prepareDatagram(maximum: room)
            if case .ready(let count, let isLast) = offer {
                let buffer = unsafe UnsafeMutableRawBufferPointer(start: self.waste.baseAddress, count: count)
                unsafe manager.takeDatagram(into: buffer)
                operation_counter_pause()
                self.discardedByteCount += count
                backend.hasDatagrams = !isLast
            } else {
                operation_counter_pause()
                backend.hasDatagrams = false
            }
        }
    }
}
