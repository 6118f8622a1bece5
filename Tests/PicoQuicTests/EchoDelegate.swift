// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic

/// What a test wants to know of a connection, readable from any thread.
final class Witness: Sendable {
    struct State {
        var received: [UInt64: [UInt8]] = [:]
        var finished: Set<UInt64> = []
        var resets: [UInt64: UInt64] = [:]
        var stops: [UInt64: UInt64] = [:]
        var released: [UInt64] = []
        var datagrams: [[UInt8]] = []
        var closes: [QUICCloseInfo] = []
        var isReady = false
    }

    /// Tells waiters apart.
    private final class Ticket: Sendable {}

    private struct Waiter {
        var ticket: Ticket
        var condition: @Sendable (State) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }

    private let content = Locked<(state: State, waiters: [Waiter])>((State(), []))

    /// The facts so far.
    var state: State { self.content.withLock { $0.state } }

    /// Notes a fact, and resumes those who waited for it.
    func note(_ change: (inout State) -> Void) {
        let satisfied = self.content.withLock { content in
            change(&content.state)
            let state = content.state
            let satisfied = content.waiters.filter { $0.condition(state) }
            content.waiters.removeAll { $0.condition(state) }
            return satisfied
        }
        for waiter in satisfied {
            waiter.continuation.resume()
        }
    }

    /// Waits until a condition holds. The suite's time limit bounds it: a test that is cancelled waits no longer.
    func wait(until condition: @escaping @Sendable (State) -> Bool) async {
        let ticket = Ticket()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.content.withLock { content in
                    if condition(content.state) || Task.isCancelled {
                        return true
                    }
                    content.waiters.append(Waiter(ticket: ticket, condition: condition, continuation: continuation))
                    return false
                }
                if isOver {
                    continuation.resume()
                }
            }
        } onCancel: {
            let waiter = self.content.withLock { content in
                let waiter = content.waiters.first { $0.ticket === ticket }
                content.waiters.removeAll { $0.ticket === ticket }
                return waiter
            }
            waiter?.continuation.resume()
        }
    }
}

/// Sends back what it receives, stream by stream and datagram by datagram, and notes everything.
class EchoDelegate: QUICConnectionDelegate {
    let witness: Witness
    let echoes: Bool
    private var outgoing: [UInt64: (bytes: [UInt8], offset: Int, isFinished: Bool)] = [:]
    private var datagrams: [[UInt8]] = []
    private var nextToken: UInt64 = 1

    init(witness: Witness, echoes: Bool) {
        self.witness = witness
        self.echoes = echoes
    }

    func makeToken() -> UInt64 {
        defer { self.nextToken += 1 }
        return self.nextToken
    }

    func send(_ bytes: [UInt8], isFinished: Bool, stream: UInt64, on connection: QUICConnection) {
        var entry = self.outgoing[stream] ?? ([], 0, false)
        entry.bytes += bytes
        entry.isFinished = isFinished
        self.outgoing[stream] = entry
        try? connection.markActive(stream: stream)
    }

    func send(datagram: [UInt8], on connection: QUICConnection) throws {
        self.datagrams.append(datagram)
        try connection.markDatagramsReady()
    }

    func connectionIsAlmostReady(_ connection: QUICConnection) {}

    func connectionIsReady(_ connection: QUICConnection) {
        self.witness.note { $0.isReady = true }
    }

    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {
        if token == 0 {
            try? connection.reserve(stream: stream, token: self.makeToken())
        }
        var copy: [UInt8] = []
        for offset in bytes.byteOffsets {
            unsafe copy.append(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
        self.witness.note { state in
            state.received[stream, default: []] += copy
            if isFinished {
                state.finished.insert(stream)
            }
        }
        let isBidirectional = stream & 2 == 0
        if self.echoes, isBidirectional {
            self.send(copy, isFinished: isFinished, stream: stream, on: connection)
        }
    }

    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, wasResetWith code: UInt64) {
        self.witness.note { $0.resets[stream] = code }
    }

    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, peerStoppedSendingWith code: UInt64) {
        self.witness.note { $0.stops[stream] = code }
        try? connection.reset(stream: stream, code: code, token: token)
    }

    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        prepareToSend slot: inout QUICStreamSlot
    ) {
        guard var entry = self.outgoing[stream] else {
            return
        }
        let count = min(slot.capacity, entry.bytes.count - entry.offset)
        let isLast = entry.offset + count == entry.bytes.count
        unsafe slot.provide(count: count, isFinished: isLast && entry.isFinished, isStillActive: !isLast) { target in
            unsafe target.copyBytes(from: entry.bytes[entry.offset..<(entry.offset + count)])
        }
        entry.offset += count
        self.outgoing[stream] = entry
    }

    func connection(_ connection: QUICConnection, prepareDatagram slot: inout QUICDatagramSlot) {
        guard let first = self.datagrams.first else {
            return
        }
        guard first.count <= slot.capacity else {
            slot.decline(hasMore: true)
            return
        }
        unsafe slot.provide(count: first.count, hasMore: self.datagrams.count > 1) { target in
            unsafe target.copyBytes(from: first)
        }
        self.datagrams.removeFirst()
    }

    func connection(_ connection: QUICConnection, didReceiveDatagram bytes: RawSpan) {
        var copy: [UInt8] = []
        for offset in bytes.byteOffsets {
            unsafe copy.append(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
        self.witness.note { $0.datagrams.append(copy) }
        if self.echoes {
            try? self.send(datagram: copy, on: connection)
        }
    }

    func connection(_ connection: QUICConnection, stream: UInt64, wasReleasedWithToken token: UInt64) {
        self.witness.note { $0.released.append(stream) }
    }

    func connection(_ connection: QUICConnection, didClose info: QUICCloseInfo) {
        self.witness.note { $0.closes.append(info) }
    }
}
