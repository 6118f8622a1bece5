// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The streams, queues, windows and datagrams of one session, independent of the transport that carries them.
///
/// A transport's session is a `ManagedWebTransportSession`, which owns a manager and forwards its public calls to it; the
/// transport reports events from below to the manager, which calls the transport through `WebTransportStreamBackend`. Confined
/// to the loop. Whatever calls out (to handler, readers, delegates) has finished its own change before, so that every callback
/// may call anything.
///
///     session API ──► manager ──ready, reset, stop, limits──► backend ──► transport
///     handler,   ◄──  manager ◄──received, prepareToSend, reset, closed──  backend
///     readers
public final class WebTransportStreamManager {
    /// Which side of the session this is.
    public let role: WebTransportRole
    /// The bounds of the session.
    public let configuration: WebTransportConfiguration
    /// The session that callbacks name. Its owner keeps it alive until the end was told. It takes itself out when it goes: a weak
    /// reference would do that too, and make each call on the session slower.
    unowned var session: (any WebTransportSession)?
    /// The end of the session, when it is over.
    public private(set) var closeInfo: WebTransportCloseInfo?

    /// The transport, which is asked for nothing when the session is over. It stays, because a reference that never changes need
    /// not be counted when it is used.
    let transport: any WebTransportStreamBackend
    private(set) var isConnected = true
    // Without a check of exclusive access, which each packet would pay for several times. Nobody is called while a slot
    // changes: who takes a stream out of its slot holds it, so that not even its end comes there.
    @safe @exclusivity(unchecked) var slots: [StreamSlot] = []
    var freeSlots: [Int] = []
    var counters = WebTransportStatistics()

    /// Bytes queued over all send streams, and whether they are more than the session should have.
    var sessionQueued = 0
    var sessionPendingTake = 0
    var isAboveSessionWatermark = false

    var sessionReceived: UInt64 = 0
    var sessionConsumed: UInt64 = 0
    var sessionReceiveLimit: UInt64

    var liveOutgoing = 0
    var liveIncomingUnidirectional = 0
    var liveIncomingBidirectional = 0

    var datagrams = DatagramQueue()
    var areDatagramsActive = false
    let datagramMaximumAge: UInt64

    /// Those who wait: to write while the session is above its watermark, for streams, for the end of all streams.
    let sessionWriters = WaitList()
    let unidirectionalOpeners = WaitList()
    let bidirectionalOpeners = WaitList()
    let drainWaiters = WaitList()
    var lastTicket: UInt64 = 0
    /// Whether this side, or the peer, opens no more streams.
    var isDraining = false
    var isPeerDraining = false
    /// Whether no stream lived when the session ended.
    private(set) var wasIdleAtEnd = false
    private var isPeerDrainHeld = false

    private var currentHandler: (any WebTransportHandler)?
    /// Whether a handler was ever set: before that events are kept, afterwards they are not.
    private(set) var hadHandler = false
    /// Streams and datagrams that wait for the first handler.
    var heldStreams: [StreamToken] = []
    var heldDatagrams = DatagramQueue()
    private var isCloseHeld = false
    private var scratch: [UInt8] = []

    /// Makes the manager of one session, which keeps `backend`.
    public init(
        role: WebTransportRole,
        configuration: WebTransportConfiguration,
        backend: any WebTransportStreamBackend
    ) {
        self.role = role
        self.configuration = configuration
        self.transport = backend
        self.sessionReceiveLimit = UInt64(clamping: configuration.sessionReceiveWindow)
        self.datagramMaximumAge = Self.microseconds(of: configuration.datagramMaximumAge)
    }

    /// Whole microseconds of a duration, within what fits; 0 for one below zero.
    static func microseconds(of duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        let (scaled, overflows) = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000)
        let (sum, exceeds) = scaled.addingReportingOverflow(UInt64(clamping: attoseconds / 1_000_000_000_000))
        return overflows || exceeds ? .max : sum
    }

    /// The transport, until the session is over.
    var backend: (any WebTransportStreamBackend)? { self.isConnected ? self.transport : nil }

    /// Whether the session is over.
    public var isClosed: Bool { self.closeInfo != nil }

    /// How many bytes all send streams together have queued.
    public var queuedByteCount: Int { self.sessionQueued - self.sessionPendingTake }

    /// What the session did so far and holds now; `path` is the backend's to add.
    public var statistics: WebTransportStatistics {
        var statistics = self.counters
        statistics.queuedByteCount = self.queuedByteCount
        statistics.bufferedByteCount = Int(clamping: self.sessionReceived - self.sessionConsumed)
        statistics.streamBytesReceived = self.sessionReceived
        statistics.streamBytesConsumed = self.sessionConsumed
        statistics.datagramsQueued = self.datagrams.count
        statistics.datagramBytesQueued = self.datagrams.byteCount
        return statistics
    }

    /// Who is told of streams, datagrams and the end; see `WebTransportSession.handler`.
    public var handler: (any WebTransportHandler)? {
        get { self.currentHandler }
        set {
            self.currentHandler = newValue
            guard newValue != nil else { return }
            self.hadHandler = true
            self.deliverHeld()
        }
    }

    /// Tells a handler that was set late what happened before.
    private func deliverHeld() {
        for token in replace(&self.heldStreams, with: []) {
            guard let stream = self.receiveStream(for: token) else { continue }
            self.notify(stream)
            self.deliverBuffered(stream)
        }
        while let bytes = self.heldDatagrams.first {
            self.heldDatagrams.removeFirst()
            self.receivedDatagram(bytes.span)
        }
        if self.isPeerDrainHeld {
            self.isPeerDrainHeld = false
            self.tellHandlerOfDrain()
        }
        guard self.isCloseHeld else { return }
        self.isCloseHeld = false
        self.tellHandlerOfEnd()
    }

    /// Tells the handler that the session is confirmed.
    public func transportConfirmed() {
        guard !self.isClosed, let handler = self.handler, let session = self.session else { return }
        handler.transportDidConfirm(session)
    }

    // MARK: The end

    /// Ends the session from this side; see `WebTransportSession.close`.
    public func close(code: UInt64, reason: String) {
        guard let backend = self.backend, !self.isClosed else { return }
        self.closeInfo = WebTransportCloseInfo(origin: .local, code: code, reason: reason)
        backend.closeTransport(code: code, reason: reason)
        self.end()
    }

    /// Takes note that the peer or the transport ended the session. Everybody is told before this returns; a session that
    /// is over already ignores it.
    public func transportClosed(_ info: WebTransportCloseInfo) {
        guard !self.isClosed else { return }
        self.closeInfo = info
        self.end()
    }

    /// Detaches every stream, then tells all of them, then the handler.
    ///
    /// A stream that had arrived completely before the peer closed, and that was paused, is still delivered: to the peer
    /// it was acknowledged, so the peer had no reason to stay.
    private func end() {
        guard let info = self.closeInfo else { return }
        let wasClosedByPeer = info.origin == .peer
        self.wasIdleAtEnd = self.liveStreams == 0
        self.isConnected = false
        let slots = replace(&self.slots, with: [])
        self.freeSlots = []
        self.heldStreams = []
        self.sessionQueued = 0
        // The end may come from inside a delegate that was told of bytes about to be taken.
        self.sessionPendingTake = 0
        self.isAboveSessionWatermark = false
        self.sessionConsumed = self.sessionReceived
        self.counters.datagramsDroppedClosed += UInt64(self.datagrams.removeAll())
        self.counters.datagramsUnclaimed += UInt64(self.heldDatagrams.removeAll())
        self.liveOutgoing = 0
        self.liveIncomingUnidirectional = 0
        self.liveIncomingBidirectional = 0
        var readers: [(stream: ReceiveStream, reader: any ReceiveStreamReader, rest: IngressBuffer?)] = []
        for slot in slots where !slot.isFree {
            self.counters.streamsRetired += 1
            if let send = slot.send {
                self.counters.streamBytesDropped += UInt64(send.queue.removeAll())
                send.pendingTake = 0
                send.end = .sessionClosed(info)
                send.detach()
                send.writers?.wakeAll()
            }
            if let receive = slot.receive {
                let isComplete = wasClosedByPeer && receive.isFinReceived && !receive.isDelivering
                let rest = replace(&receive.buffer, with: IngressBuffer())
                receive.manager = nil
                receive.end = isComplete || receive.isDeliveringEnd ? .finished : .sessionClosed(info)
                if receive.isDeliveringEnd {
                    // Its reader ends the session while it hears of the stream's end. One end is enough.
                    _ = receive.takeReader()
                } else if let reader = receive.takeReader() {
                    readers.append((receive, reader, isComplete ? rest : nil))
                } else {
                    if isComplete { receive.buffer = rest }
                    receive.isEndUntold = true
                }
                receive.readers?.wakeAll()
            }
        }
        for list in [self.unidirectionalOpeners, self.bidirectionalOpeners, self.drainWaiters] { list.wakeAll() }
        for slot in slots {
            if let send = slot.send { send.delegate?.sendStreamDidComplete(send) }
        }
        for entry in readers {
            if let rest = entry.rest {
                _ = entry.reader.receiveStream(entry.stream, didReceive: rest.joined.span, isFinished: true)
            } else {
                entry.reader.receiveStreamSessionClosed(entry.stream)
            }
        }
        self.tellHandlerOfEnd()
    }

    /// Tells the handler that the peer is draining, or keeps it until there is one.
    func tellHandlerOfDrain() {
        guard let handler = self.currentHandler, let session = self.session else {
            self.isPeerDrainHeld = !self.hadHandler
            return
        }
        handler.transportPeerIsDraining(session)
    }

    private func tellHandlerOfEnd() {
        guard let info = self.closeInfo else { return }
        guard let handler = replace(&self.currentHandler, with: nil) else {
            self.isCloseHeld = !self.hadHandler
            return
        }
        if let session = self.session {
            handler.transport(session, didClose: info)
        }
    }

    // MARK: Slots

    /// The sending direction of the stream that a token names, if it is still there.
    func sendStream(for token: StreamToken) -> SendStream? {
        self.slots.sendStream(for: token)
    }

    /// The receiving direction of the stream that a token names, if it is still there.
    func receiveStream(for token: StreamToken) -> ReceiveStream? {
        self.slots.receiveStream(for: token)
    }

    /// Takes a free slot.
    func reserveSlot() -> StreamToken {
        if let index = self.freeSlots.popLast() {
            return StreamToken(index: index, generation: self.slots[index].generation)
        }
        self.slots.append(StreamSlot())
        return StreamToken(index: self.slots.count - 1, generation: 1)
    }

    /// Gives back a slot that no stream was put in.
    func returnSlot(_ token: StreamToken) {
        self.freeSlots.append(token.index)
    }

    /// Frees the slot of a stream when both its directions are done, and tells the transport.
    func retireIfDone(_ token: StreamToken) {
        guard token.index < self.slots.count, self.slots[token.index].generation == token.generation else { return }
        guard self.slots[token.index].isFree else { return }
        let id = self.slots[token.index].id
        let isOfPeer = self.slots[token.index].isOfPeer
        if !isOfPeer {
            self.liveOutgoing -= 1
        } else if id.isUnidirectional {
            self.liveIncomingUnidirectional -= 1
        } else {
            self.liveIncomingBidirectional -= 1
        }
        self.slots[token.index].generation = max(token.generation &+ 1, 1)
        self.freeSlots.append(token.index)
        self.counters.streamsRetired += 1
        self.backend?.streamRetired(id, token: token)
        self.wakeAfterRetirement(ofPeer: isOfPeer)
    }

    // MARK: Scratch space

    /// Lends the array that `SendStream.write(_:)` fills; a nested call gets a fresh one.
    func takeScratch() -> [UInt8] {
        replace(&self.scratch, with: [])
    }

    /// Takes the array back for the next call.
    func returnScratch(_ array: inout [UInt8]) {
        guard array.capacity <= 64 << 10 else { return }
        // Exchanged, because of an array that two hold for a moment emptying makes a new one.
        array.removeAll(keepingCapacity: true)
        swap(&array, &self.scratch)
    }
}
