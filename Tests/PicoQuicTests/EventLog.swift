// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic

/// What happened to connections, in order, readable from any thread and awaitable.
final class EventLog: Sendable {
    private struct Waiter {
        var condition: @Sendable ([String]) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }

    private let content = Locked<(events: [String], waiters: [Waiter])>(([], []))

    /// What happened so far.
    var events: [String] { self.content.withLock { $0.events } }

    func note(_ event: String) {
        let satisfied = self.content.withLock { content in
            content.events.append(event)
            let events = content.events
            let satisfied = content.waiters.filter { $0.condition(events) }
            content.waiters.removeAll { $0.condition(events) }
            return satisfied
        }
        for waiter in satisfied {
            waiter.continuation.resume()
        }
    }

    /// Waits until a condition holds. The suite's time limit bounds it.
    func wait(until condition: @escaping @Sendable ([String]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isSatisfied = self.content.withLock { content in
                if condition(content.events) {
                    return true
                }
                content.waiters.append(Waiter(condition: condition, continuation: continuation))
                return false
            }
            if isSatisfied {
                continuation.resume()
            }
        }
    }
}

/// Logs every event of its connection by name, and sends what it was given.
final class LoggingDelegate: QUICConnectionDelegate {
    private let log: EventLog
    private let onEvent: (String, QUICConnection, LoggingDelegate) -> Void
    private var outgoing: [UInt64: [UInt8]] = [:]
    private var datagrams: [[UInt8]] = []

    init(log: EventLog, onEvent: @escaping (String, QUICConnection, LoggingDelegate) -> Void = { _, _, _ in }) {
        self.log = log
        self.onEvent = onEvent
    }

    private func note(_ event: String, _ connection: QUICConnection) {
        self.log.note(event)
        self.onEvent(event, connection, self)
    }

    /// Sends bytes and the end on a new stream.
    func send(_ bytes: [UInt8], on connection: QUICConnection) throws {
        let stream = try connection.openStream(isUnidirectional: true, token: UInt64(self.outgoing.count + 1))
        self.outgoing[stream] = bytes
        try connection.markActive(stream: stream)
    }

    /// Queues datagrams.
    func send(datagrams: [[UInt8]], on connection: QUICConnection) throws {
        self.datagrams += datagrams
        try connection.markDatagramsReady()
    }

    func connectionIsAlmostReady(_ connection: QUICConnection) {
        self.note("almost ready", connection)
    }

    func connectionIsReady(_ connection: QUICConnection) {
        self.note("ready", connection)
    }

    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        didReceive bytes: RawSpan,
        isFinished: Bool
    ) {
        self.note("data \(bytes.byteCount)\(isFinished ? " fin" : "")", connection)
    }

    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, wasResetWith code: UInt64) {
        self.note("reset \(code)", connection)
    }

    func connection(_ connection: QUICConnection, stream: UInt64, token: UInt64, peerStoppedSendingWith code: UInt64) {
        self.note("stopped \(code)", connection)
    }

    func connection(
        _ connection: QUICConnection,
        stream: UInt64,
        token: UInt64,
        prepareToSend slot: inout QUICStreamSlot
    ) {
        self.note("asked", connection)
        guard let bytes = self.outgoing[stream], bytes.count <= slot.capacity else {
            return
        }
        unsafe slot.provide(count: bytes.count, isFinished: true, isStillActive: false) { target in
            unsafe target.copyBytes(from: bytes)
        }
    }

    func connection(_ connection: QUICConnection, prepareDatagram slot: inout QUICDatagramSlot) {
        self.note("asked for a datagram", connection)
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
        self.note("datagram \(bytes.byteCount)", connection)
    }

    func connection(_ connection: QUICConnection, stream: UInt64, wasReleasedWithToken token: UInt64) {
        self.note("released", connection)
    }

    func connection(_ connection: QUICConnection, didClose info: QUICCloseInfo) {
        self.note("closed", connection)
    }
}
