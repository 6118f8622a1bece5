// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import PacketLoop
import WebTransport

/// One end of a bridge between loops: collects what its manager has until the phase ends, hands it over, and gives what
/// comes over to its manager. (loop)
///
/// Only ``deliver`` touches what threads share, and that is the other loop's queue of work.
final class LoopBridgeEnd: InMemoryBackend {
    let loop: PacketLoop
    weak var manager: WebTransportStreamManager?
    private var figures = WebTransportPathStatistics()

    let role: WebTransportRole
    private let configuration: LoopBridge.Configuration
    /// The bounds of the session at the other end.
    private let otherBounds: WebTransportConfiguration
    /// Where the other end is, once the ends are connected.
    private var other: LoopBridge.Address?
    private(set) var isClosed = false
    /// What the other side is told of the end, when that came before the ends were connected.
    private var lastItem: LoopBridgeItem?

    /// What goes over next.
    private var outbox: [LoopBridgeItem] = []
    private var isHandOverScheduled = false

    private var outbound: [StreamID: LoopBridgeStream] = [:]
    /// The streams that have something to send, but for those that wait for their window.
    private var ready: [LoopBridgeStream] = []
    /// How much of streams the other loop has not come to, as far as is known; and how much this one has come to that the
    /// other one does not know of.
    private var underWay = 0
    private var unreported = 0
    /// How many streams were opened here; how many more the other side allows; and those that wait for that.
    private var opened = PerKind<UInt64>(0)
    private var credit: PerKind<Int>
    private var waiting = PerKind<Deque<LoopBridgeStream>>([])
    /// How much was sent over all streams, and how much the other side allows.
    private var sent: UInt64 = 0
    private var sendLimit: UInt64
    private var hasDatagrams = false
    /// Datagrams that the other side has not taken yet.
    private var datagramsUnderWay = 0

    private var inbound: [StreamID: StreamToken] = [:]
    /// Streams of the other side that are done, and that it was not told of.
    private var retired = PerKind<Int>(0)

    /// How much a stream is asked for at once: writers hear that their queue runs dry by what is about to leave it, which has
    /// to be little beside what they keep in it.
    private static let slice = 16 << 10

    /// One value for each kind of stream.
    private struct PerKind<Value> {
        private var unidirectional: Value
        private var bidirectional: Value

        init(_ value: Value) {
            self.unidirectional = value
            self.bidirectional = value
        }

        subscript(isUnidirectional isUnidirectional: Bool) -> Value {
            get { isUnidirectional ? self.unidirectional : self.bidirectional }
            _modify {
                if isUnidirectional { yield &self.unidirectional } else { yield &self.bidirectional }
            }
        }
    }

    init(role: WebTransportRole, loop: PacketLoop, configuration: LoopBridge.Configuration) {
        self.role = role
        self.loop = loop
        self.configuration = configuration
        let other = role == .client ? configuration.server : configuration.client
        self.otherBounds = other
        var credit = PerKind<Int>(0)
        credit[isUnidirectional: true] = other.maximumIncomingUnidirectionalStreams
        credit[isUnidirectional: false] = other.maximumIncomingBidirectionalStreams
        self.credit = credit
        self.sendLimit = UInt64(clamping: other.sessionReceiveWindow)
    }

    deinit {
        if !self.isClosed { self.deliver([.gone]) }
    }

    /// What was handed over and has arrived, in pieces as packets. What the other loop has not come to is in flight.
    var pathStatistics: WebTransportPathStatistics {
        var statistics = self.figures
        statistics.bytesInFlight = UInt64(clamping: self.underWay)
        statistics.congestionWindow = UInt64(clamping: self.configuration.maximumBytesUnderWay)
        return statistics
    }

    /// Opens the way.
    func connect(to other: LoopBridge.Address) {
        self.loop.assertOnLoop()
        self.other = other
        if let item = self.lastItem {
            self.lastItem = nil
            self.deliver([item])
        } else {
            self.scheduleHandOver()
        }
    }

    // MARK: Handing over

    /// Hands everything over when the phase ends: timers come after all packets and work of a batch.
    private func scheduleHandOver() {
        guard !self.isHandOverScheduled, !self.isClosed, self.other != nil, self.loop.isOnLoop else { return }
        self.isHandOverScheduled = true
        _ = self.loop.schedule(at: self.loop.now) { [weak self] in
            self?.handOver()
        }
    }

    private func handOver() {
        self.isHandOverScheduled = false
        guard !self.isClosed, let manager = self.manager else { return }
        let finished = self.collectStreams(manager)
        // Asking may have told delegates, and they may have ended the session.
        guard !self.isClosed else { return }
        self.collectDatagrams(manager)
        for isUnidirectional in [true, false] where self.retired[isUnidirectional: isUnidirectional] > 0 {
            let count = self.retired[isUnidirectional: isUnidirectional]
            self.outbox.append(.streamsRetired(isUnidirectional: isUnidirectional, count: count))
            self.retired[isUnidirectional: isUnidirectional] = 0
        }
        let items = self.outbox
        self.outbox = []
        if !items.isEmpty {
            self.figures.packetsSent &+= 1
            guard self.deliver(items) else {
                self.lose()
                return
            }
        }
        // What was handed over arrives: nothing has to be waited for.
        for token in finished {
            guard !self.isClosed else { return }
            manager.streamDelivered(token)
        }
    }

    /// Gives items to the other loop. Returns false when that has stopped. Callable from any thread.
    @discardableResult
    private func deliver(_ items: [LoopBridgeItem]) -> Bool {
        guard let other = self.other?.end else { return true }
        return other.loop.post { other.value.end?.arrive(items) }
    }

    /// Takes what the streams have, as far as windows allow. Returns those of which all has been taken.
    private func collectStreams(_ manager: WebTransportStreamManager) -> [StreamToken] {
        guard !self.ready.isEmpty else { return [] }
        var finished: [StreamToken] = []
        let turns = self.ready.sorted { ($0.priority, $0.id) < ($1.priority, $1.id) }
        self.ready = []
        for stream in turns {
            while stream.isReady, let room = self.room(for: stream) {
                stream.mayHaveOnlyEnd = false
                let offer = manager.prepareToSend(stream.token, maximum: room)
                guard !self.isClosed else { return [] }
                // The delegate that was told may have reset the stream.
                guard self.outbound[stream.id] === stream else { break }
                stream.isReady = offer.isStillActive
                guard !offer.isEmpty else { continue }
                var pieces: [Bytes] = []
                guard manager.takeOffered(offer, of: stream.token, to: &pieces) else { break }
                self.announce(stream)
                self.outbox.append(.stream(stream.id, pieces, isFinal: offer.isFinal))
                stream.offset += UInt64(offer.count)
                self.sent += UInt64(offer.count)
                self.underWay += LoopBridgeItem.cost(of: offer.count)
                self.figures.bytesSent &+= UInt64(offer.count)
                if offer.isFinal {
                    self.outbound[stream.id] = nil
                    finished.append(stream.token)
                }
            }
        }
        return finished
    }

    /// How much a stream may be asked for at once. Nil when it has to wait, and then it is filed where it is found again.
    private func room(for stream: LoopBridgeStream) -> Int? {
        let window = stream.limit - stream.offset
        let free = UInt64(clamping: self.configuration.maximumBytesUnderWay - self.underWay)
        let room = min(self.sendLimit - self.sent, window, free)
        if stream.hasCredit, room > 0 || stream.mayHaveOnlyEnd {
            return min(Int(clamping: room), Self.slice)
        }
        if stream.hasCredit, window == 0 {
            stream.isParked = true
        } else {
            self.ready.append(stream)
        }
        return nil
    }

    private func announce(_ stream: LoopBridgeStream) {
        guard !stream.isAnnounced else { return }
        stream.isAnnounced = true
        self.outbox.append(.open(stream.id))
    }

    private func collectDatagrams(_ manager: WebTransportStreamManager) {
        var datagrams: [Bytes] = []
        while self.hasDatagrams, self.datagramsUnderWay < self.otherBounds.datagramQueueCount {
            guard case .ready(_, let isLast) = manager.prepareDatagram(maximum: .max),
                let bytes = manager.takeDatagram()
            else {
                self.hasDatagrams = false
                break
            }
            datagrams.append(bytes)
            self.datagramsUnderWay += 1
            self.hasDatagrams = !isLast
            self.figures.bytesSent &+= UInt64(bytes.count)
        }
        if !datagrams.isEmpty { self.outbox.append(.datagrams(datagrams)) }
    }

    private func enqueue(_ item: LoopBridgeItem) {
        guard !self.isClosed else { return }
        self.outbox.append(item)
        self.scheduleHandOver()
    }

    // MARK: The end

    /// Stops sending and forgets everything.
    private func shutDown() {
        self.isClosed = true
        self.outbox = []
        self.ready = []
        self.outbound = [:]
        self.waiting = PerKind([])
        self.inbound = [:]
    }

    /// The other side is not there any more.
    private func lose() {
        guard !self.isClosed else { return }
        self.shutDown()
        self.manager?.transportClosed(
            WebTransportCloseInfo(origin: .transport(.aborted), reason: "the other loop has gone")
        )
    }

    // MARK: Arrival

    /// Takes what came over.
    private func arrive(_ items: [LoopBridgeItem]) {
        self.figures.packetsReceived &+= 1
        for item in items {
            // Each of them may end the session.
            guard !self.isClosed, let manager = self.manager else { return }
            self.receive(item, manager)
        }
        // Not every time: a report is a piece that crosses, and perhaps a wake-up.
        if self.unreported > self.configuration.maximumBytesUnderWay / 4 {
            self.enqueue(.bytesTaken(self.unreported))
            self.unreported = 0
        }
    }

    private func receive(_ item: LoopBridgeItem, _ manager: WebTransportStreamManager) {
        switch item {
        case .open(let id):
            self.accept(id, manager)
        case .stream(let id, let pieces, let isFinal):
            self.receive(pieces, isFinal: isFinal, on: id, manager)
        case .resetStream(let id, let code):
            if let token = self.inbound[id] { manager.streamWasReset(token, code: code) }
        case .stopSending(let id, let code):
            if let token = self.outbound[id]?.token { manager.peerStoppedSending(token, code: code) }
        case .maxStreamData(let id, let limit):
            guard let stream = self.outbound[id] else { return }
            stream.limit = max(stream.limit, limit)
            if stream.isParked {
                stream.isParked = false
                self.ready.append(stream)
            }
            if stream.isReady { self.scheduleHandOver() }
        case .maxData(let limit):
            self.sendLimit = max(self.sendLimit, limit)
            if !self.ready.isEmpty { self.scheduleHandOver() }
        case .streamsRetired(let isUnidirectional, let count):
            self.allow(count, isUnidirectional: isUnidirectional)
            manager.streamCreditChanged(unidirectional: isUnidirectional)
        case .datagrams(let datagrams):
            self.enqueue(.datagramsTaken(datagrams.count))
            for bytes in datagrams where !self.isClosed {
                self.figures.bytesReceived &+= UInt64(bytes.count)
                manager.receivedDatagram(bytes.span)
            }
        case .datagramsTaken(let count):
            self.datagramsUnderWay -= count
            if self.hasDatagrams { self.scheduleHandOver() }
        case .bytesTaken(let count):
            self.underWay -= count
            if !self.ready.isEmpty { self.scheduleHandOver() }
        case .drain:
            manager.peerIsDraining()
        case .close(let code, let reason):
            self.shutDown()
            manager.transportClosed(WebTransportCloseInfo(origin: .peer, code: code, reason: reason))
        case .gone:
            self.lose()
        }
    }

    private func accept(_ id: StreamID, _ manager: WebTransportStreamManager) {
        guard let token = manager.acceptStream(id) else {
            self.enqueue(.stopSending(id, code: 0))
            if !id.isUnidirectional { self.enqueue(.resetStream(id, code: 0)) }
            self.retired[isUnidirectional: id.isUnidirectional] += 1
            return
        }
        self.inbound[id] = token
        guard !id.isUnidirectional else { return }
        self.outbound[id] = LoopBridgeStream(
            id: id,
            token: token,
            priority: .default,
            limit: UInt64(clamping: self.otherBounds.streamReceiveWindow),
            isAnnounced: true,
            hasCredit: true
        )
    }

    private func receive(_ pieces: [Bytes], isFinal: Bool, on id: StreamID, _ manager: WebTransportStreamManager) {
        let count = pieces.reduce(0) { $0 + $1.count }
        self.unreported += LoopBridgeItem.cost(of: count)
        self.figures.bytesReceived &+= UInt64(count)
        guard let token = self.inbound[id] else {
            manager.discarded(count)
            return
        }
        if pieces.isEmpty { manager.received(Bytes(), isFinished: isFinal, on: token) }
        for (index, piece) in pieces.enumerated() where !self.isClosed {
            // Once the stream is gone, the manager just counts what still comes of it.
            manager.received(piece, isFinished: isFinal && index == pieces.count - 1, on: token)
        }
    }

    /// The other side allows more streams: first those that wait.
    private func allow(_ count: Int, isUnidirectional: Bool) {
        var count = count
        while count > 0, let stream = self.waiting[isUnidirectional: isUnidirectional].popFirst() {
            count -= 1
            stream.hasCredit = true
            if let code = stream.heldStop {
                self.announce(stream)
                self.enqueue(.stopSending(stream.id, code: code))
            }
            if let code = stream.heldReset {
                self.announce(stream)
                self.enqueue(.resetStream(stream.id, code: code))
            }
        }
        self.credit[isUnidirectional: isUnidirectional] += count
        self.scheduleHandOver()
    }
}

/// What the manager asks for.
extension LoopBridgeEnd {
    var currentTime: UInt64 { self.loop.now.microseconds }

    var maximumDatagramSize: Int { self.isClosed ? 0 : self.configuration.maximumDatagramSize }

    func openStream(
        unidirectional: Bool,
        priority: StreamPriority,
        token: StreamToken
    ) throws(WebTransportError) -> StreamID {
        guard !self.isClosed else { throw WebTransportError(.sessionClosed, "the bridge is closed") }
        let index = self.opened[isUnidirectional: unidirectional]
        self.opened[isUnidirectional: unidirectional] = index + 1
        let id = StreamID(rawValue: index << 2 | (unidirectional ? 2 : 0) | (self.role == .client ? 0 : 1))
        let stream = LoopBridgeStream(
            id: id,
            token: token,
            priority: priority,
            limit: UInt64(clamping: self.otherBounds.streamReceiveWindow),
            isAnnounced: false,
            hasCredit: self.credit[isUnidirectional: unidirectional] > 0
        )
        if stream.hasCredit {
            self.credit[isUnidirectional: unidirectional] -= 1
        } else {
            self.waiting[isUnidirectional: unidirectional].append(stream)
        }
        self.outbound[id] = stream
        if !unidirectional { self.inbound[id] = token }
        return id
    }

    func streamCredit(unidirectional: Bool) -> UInt64 {
        UInt64(clamping: self.credit[isUnidirectional: unidirectional])
    }

    /// Nothing: the manager hears of every change.
    func awaitStreamCredit(unidirectional: Bool) {}

    func streamBecameReady(_ id: StreamID, token: StreamToken) {
        guard let stream = self.outbound[id], !stream.isReady else { return }
        stream.isReady = true
        stream.mayHaveOnlyEnd = true
        self.ready.append(stream)
        self.scheduleHandOver()
    }

    func setPriority(_ priority: StreamPriority, of id: StreamID, token: StreamToken) {
        self.outbound[id]?.priority = priority
    }

    func resetStream(_ id: StreamID, code: UInt64, token: StreamToken) {
        guard let stream = self.outbound.removeValue(forKey: id) else { return }
        stream.isReady = false
        if stream.hasCredit {
            self.announce(stream)
            self.enqueue(.resetStream(id, code: code))
        } else {
            // The other side may not hear of the stream before it allows it.
            stream.heldReset = code
        }
    }

    func stopSending(_ id: StreamID, code: UInt64, received: UInt64, token: StreamToken) {
        if let stream = self.outbound[id], !stream.isAnnounced {
            guard stream.hasCredit else {
                stream.heldStop = code
                return
            }
            self.announce(stream)
        }
        self.enqueue(.stopSending(id, code: code))
    }

    func raiseReceiveLimit(of id: StreamID, to limit: UInt64, received: UInt64, token: StreamToken) {
        self.enqueue(.maxStreamData(id, limit: limit))
    }

    func raiseSessionReceiveLimit(to limit: UInt64) {
        self.enqueue(.maxData(limit: limit))
    }

    /// What was handed over has arrived.
    func isAcknowledged(_ count: UInt64, of id: StreamID) -> Bool {
        self.outbound[id].map { $0.offset >= count } ?? true
    }

    func datagramsBecameReady() {
        self.hasDatagrams = true
        self.scheduleHandOver()
    }

    func streamRetired(_ id: StreamID, token: StreamToken) {
        self.inbound[id] = nil
        guard !id.isInitiated(by: self.role), !self.isClosed else { return }
        self.retired[isUnidirectional: id.isUnidirectional] += 1
        self.scheduleHandOver()
    }

    func drainTransport() {
        self.enqueue(.drain)
    }

    func closeTransport(code: UInt64, reason: String) {
        self.shutDown()
        let item = LoopBridgeItem.close(code: code, reason: reason)
        if self.other == nil {
            self.lastItem = item
        } else {
            self.deliver([item])
        }
    }
}
