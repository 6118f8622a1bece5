// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import PacketLoop
import WebTransport

/// One end of a simulated link: makes packets of what its manager has, and gives what arrives to its manager.
///
///     manager ──ready──► endpoint ──flush: packets──(latency, loss)──► peer.arrive ──► peer's manager
///                           ▲────────────(latency)── acknowledged, or lost: sent again ──┘
final class InMemoryEndpoint: InMemoryBackend {
    let loop: PacketLoop
    let configuration: InMemoryLinkConfiguration
    weak var manager: WebTransportStreamManager?
    weak var peer: InMemoryEndpoint?
    var loss: Double
    var isClosed = false
    /// Called when this end is over.
    var didShutDown: (() -> Void)?

    let role: WebTransportRole
    private var random: SeededGenerator
    private var pendingFrames: Deque<InMemoryPacket.Frame> = []
    private var bytesInFlight = 0
    private var isFlushScheduled = false
    private var earliestSend: LoopInstant
    private var turn: UInt64 = 0
    private var hasDatagrams = false
    private(set) var pathStatistics = WebTransportPathStatistics()

    /// The streams this side sends on, and those of them that have something to send.
    var outbound: [StreamID: OutboundStream] = [:]
    private var ready: [OutboundStream] = []
    /// How many streams this side opened, unidirectional and bidirectional, and how many the peer allows.
    private var opened = StreamCounts()
    private var openLimit: StreamCounts
    /// Resets of streams that the peer does not allow yet, with their codes.
    var heldResets: [StreamID: UInt64] = [:]
    /// How much this side sent over all streams, and how much the peer allows.
    private var sent: UInt64 = 0
    private var sendLimit: UInt64

    var inbound: [StreamID: InboundStream] = [:]
    /// The streams of the peer below the highest seen that have not been heard of.
    var unseen: Set<StreamID> = []
    var nextPeer = StreamCounts()
    /// How many streams this side allows the peer.
    private var acceptLimit: StreamCounts

    /// One number for each kind of stream.
    struct StreamCounts {
        var unidirectional: UInt64 = 0
        var bidirectional: UInt64 = 0

        subscript(isUnidirectional isUnidirectional: Bool) -> UInt64 {
            get { isUnidirectional ? self.unidirectional : self.bidirectional }
            set {
                if isUnidirectional { self.unidirectional = newValue } else { self.bidirectional = newValue }
            }
        }

        init() {}

        init(accepting configuration: WebTransportConfiguration) {
            self.unidirectional = UInt64(clamping: configuration.maximumIncomingUnidirectionalStreams)
            self.bidirectional = UInt64(clamping: configuration.maximumIncomingBidirectionalStreams)
        }
    }

    init(role: WebTransportRole, loop: PacketLoop, configuration: InMemoryLinkConfiguration) {
        self.role = role
        self.loop = loop
        self.configuration = configuration
        self.loss = configuration.loss
        let own = role == .client ? configuration.client : configuration.server
        let other = role == .client ? configuration.server : configuration.client
        self.openLimit = StreamCounts(accepting: other)
        self.acceptLimit = StreamCounts(accepting: own)
        self.sendLimit = UInt64(clamping: other.sessionReceiveWindow)
        self.earliestSend = loop.now
        // Both directions lose packets, but not the same ones.
        self.random = SeededGenerator(seed: configuration.seed &* 2 &+ (role == .client ? 0 : 1))
        self.pathStatistics.smoothedRoundTrip = configuration.latency * 2
        self.pathStatistics.minimumRoundTrip = configuration.latency * 2
        self.pathStatistics.congestionWindow = UInt64(clamping: configuration.congestionWindow)
    }

    /// How far this side may send on a stream before the peer says more.
    private var initialStreamLimit: UInt64 {
        let other = self.role == .client ? self.configuration.server : self.configuration.client
        return UInt64(clamping: other.streamReceiveWindow)
    }

    /// Ends this side because the link is cut.
    func sever(_ info: WebTransportCloseInfo) {
        guard !self.isClosed else { return }
        self.shutDown()
        self.manager?.transportClosed(info)
    }

    /// Stops sending and forgets everything.
    func shutDown() {
        self.isClosed = true
        self.pendingFrames = []
        self.ready = []
        self.outbound = [:]
        self.inbound = [:]
        self.unseen = []
        self.heldResets = [:]
        self.didShutDown?()
        self.didShutDown = nil
    }

    // MARK: Streams

    /// Makes the record of a stream this side sends on.
    func addOutbound(_ id: StreamID, token: StreamToken, priority: StreamPriority) {
        let isOwn = id.isInitiated(by: self.role)
        self.outbound[id] = OutboundStream(
            id: id,
            token: token,
            priority: priority,
            limit: self.initialStreamLimit,
            waitsForCredit: isOwn && id.rawValue >> 2 >= self.openLimit[isUnidirectional: id.isUnidirectional]
        )
    }

    /// How many more streams the peer allows than this side has opened.
    func openCredit(isUnidirectional: Bool) -> UInt64 {
        let limit = self.openLimit[isUnidirectional: isUnidirectional]
        let opened = self.opened[isUnidirectional: isUnidirectional]
        return limit > opened ? limit - opened : 0
    }

    /// Takes the next number for a stream of this side.
    func nextStreamID(isUnidirectional: Bool) -> StreamID {
        let index = self.opened[isUnidirectional: isUnidirectional]
        self.opened[isUnidirectional: isUnidirectional] = index + 1
        return StreamID(rawValue: index << 2 | (isUnidirectional ? 2 : 0) | (self.role == .client ? 0 : 1))
    }

    /// Puts a stream among those that have something to send.
    func makeReady(_ id: StreamID) {
        guard let stream = self.outbound[id], !stream.isReady else { return }
        stream.isReady = true
        stream.mayHaveOnlyEnd = true
        self.ready.append(stream)
        self.scheduleFlush()
    }

    /// Forgets the sending half of a stream.
    func removeOutbound(_ id: StreamID) {
        guard let stream = self.outbound.removeValue(forKey: id), stream.isReady else { return }
        self.ready.removeAll { $0 === stream }
    }

    /// Lets the peer open one more stream in place of one that is done.
    func replenish(isUnidirectional: Bool) {
        self.acceptLimit[isUnidirectional: isUnidirectional] += 1
        let limit = self.acceptLimit[isUnidirectional: isUnidirectional]
        self.enqueue(.maxStreams(isUnidirectional: isUnidirectional, limit: limit))
    }

    /// Whether the peer keeps to the number of streams it was allowed.
    func accepts(_ id: StreamID) -> Bool {
        id.rawValue >> 2 < self.acceptLimit[isUnidirectional: id.isUnidirectional]
    }

    // MARK: What the peer allows

    /// Raises the limit of a stream.
    func raiseSendLimit(of id: StreamID, to limit: UInt64) {
        guard let stream = self.outbound[id] else { return }
        stream.limit = max(stream.limit, limit)
        self.scheduleFlush()
    }

    /// Raises the limit over all streams.
    func raiseSendLimit(to limit: UInt64) {
        self.sendLimit = max(self.sendLimit, limit)
        self.scheduleFlush()
    }

    /// Raises the number of streams, and lets go those that waited for it.
    func raiseOpenLimit(isUnidirectional: Bool, to limit: UInt64) {
        guard limit > self.openLimit[isUnidirectional: isUnidirectional] else { return }
        self.openLimit[isUnidirectional: isUnidirectional] = limit
        for stream in self.outbound.values where stream.waitsForCredit {
            guard stream.id.isUnidirectional == isUnidirectional else { continue }
            stream.waitsForCredit = stream.id.rawValue >> 2 >= limit
        }
        for (id, code) in self.heldResets.sorted(by: { $0.key < $1.key })
        where id.isUnidirectional == isUnidirectional && id.rawValue >> 2 < limit {
            self.heldResets[id] = nil
            self.enqueue(.resetStream(id, code: code))
        }
        self.scheduleFlush()
    }

    // MARK: Sending

    /// Sends a frame with the next packet.
    func enqueue(_ frame: InMemoryPacket.Frame) {
        guard !self.isClosed else { return }
        self.pendingFrames.append(frame)
        self.scheduleFlush()
    }

    /// Takes note that there are datagrams.
    func makeDatagramsReady() {
        self.hasDatagrams = true
        self.scheduleFlush()
    }

    /// Sends the end of the session, again and again until it arrives.
    func sendClose(code: UInt64, reason: String) {
        var packet = InMemoryPacket()
        packet.append(.close(code: code, reason: reason))
        self.transmit(packet)
    }

    /// Sends soon, never from within the call that made something ready; never, once the loop has stopped.
    private func scheduleFlush() {
        guard !self.isFlushScheduled, !self.isClosed, self.loop.isOnLoop else { return }
        self.isFlushScheduled = true
        _ = self.loop.schedule(at: max(self.loop.now, self.earliestSend)) { [weak self] in
            self?.isFlushScheduled = false
            self?.flush()
        }
    }

    private func flush() {
        while !self.isClosed, self.bytesInFlight < self.configuration.congestionWindow {
            guard self.loop.now >= self.earliestSend else {
                self.scheduleFlush()
                return
            }
            let packet = self.makePacket()
            // Making it asked delegates for more, and they may have ended the session.
            guard !self.isClosed, !packet.frames.isEmpty else { return }
            if let rate = self.configuration.bytesPerSecond, rate > 0 {
                let gap = Duration.microseconds(packet.size * 1_000_000 / rate)
                self.earliestSend = max(self.earliestSend, self.loop.now).advanced(by: gap)
            }
            self.transmit(packet)
        }
    }

    private func makePacket() -> InMemoryPacket {
        var packet = InMemoryPacket()
        while let frame = self.pendingFrames.first, packet.size + frame.size <= self.configuration.packetSize {
            self.pendingFrames.removeFirst()
            packet.append(frame)
        }
        guard self.pendingFrames.isEmpty else { return packet }
        self.addStreams(to: &packet) { $0.priority < .datagram }
        self.addDatagrams(to: &packet)
        self.addStreams(to: &packet) { _ in true }
        return packet
    }

    private func addStreams(to packet: inout InMemoryPacket, where isIncluded: (OutboundStream) -> Bool) {
        while !self.isClosed {
            let room = self.configuration.packetSize - packet.size - InMemoryPacket.Frame.overhead
            guard room > 0, let manager = self.manager else { return }
            let sessionCredit = Int(clamping: self.sendLimit - self.sent)
            var best: OutboundStream?
            for stream in self.ready where stream.isReady && !stream.waitsForCredit && isIncluded(stream) {
                guard sessionCredit > 0 && stream.offset < stream.limit || stream.mayHaveOnlyEnd else { continue }
                if best.map({ stream.goesBefore($0) }) ?? true { best = stream }
            }
            guard let stream = best else { return }
            stream.mayHaveOnlyEnd = false
            self.turn += 1
            stream.lastTurn = self.turn
            let credit = min(sessionCredit, Int(clamping: stream.limit - stream.offset))
            let offer = manager.prepareToSend(stream.token, maximum: min(room, credit))
            guard !self.isClosed else { return }
            if let frame = self.take(offer, of: stream, from: manager) { packet.append(frame) }
        }
    }

    private func take(
        _ offer: EgressOffer,
        of stream: OutboundStream,
        from manager: WebTransportStreamManager
    ) -> InMemoryPacket.Frame? {
        if !offer.isStillActive {
            stream.isReady = false
            self.ready.removeAll { $0 === stream }
        }
        guard !offer.isEmpty else { return nil }
        let bytes = Bytes(capacity: max(offer.count, 1)) { output in
            unsafe output.withUnsafeMutableBytes { buffer, count in
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[0..<offer.count])
                if unsafe manager.takeOffered(offer, of: stream.token, into: part) { count = offer.count }
            }
        }
        let frame = InMemoryPacket.Frame.stream(
            id: stream.id,
            offset: stream.offset,
            bytes: bytes,
            isFinal: offer.isFinal
        )
        stream.offset += UInt64(bytes.count)
        stream.isFinSent = offer.isFinal
        stream.unacknowledged += 1
        self.sent += UInt64(bytes.count)
        return frame
    }

    private func addDatagrams(to packet: inout InMemoryPacket) {
        while self.hasDatagrams, let manager = self.manager {
            let room = self.configuration.packetSize - packet.size - InMemoryPacket.Frame.overhead
            guard room > 0 else { return }
            switch manager.prepareDatagram(maximum: room) {
            case .nothing:
                self.hasDatagrams = false
            case .doesNotFit:
                return
            case .ready(let count, let isLast):
                let bytes = Bytes(capacity: max(count, 1)) { output in
                    unsafe output.withUnsafeMutableBytes { buffer, initialized in
                        let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[0..<count])
                        if unsafe manager.takeDatagram(into: part) { initialized = count }
                    }
                }
                packet.append(.datagram(bytes))
                self.hasDatagrams = !isLast
            }
        }
    }

    private func transmit(_ packet: InMemoryPacket) {
        self.loop.assertOnLoop()
        // Once the loop has stopped nothing arrives any more, and whoever clears up may be on any thread.
        guard self.loop.isOnLoop else { return }
        self.bytesInFlight += packet.size
        self.pathStatistics.packetsSent += 1
        self.pathStatistics.bytesSent += UInt64(packet.size)
        self.pathStatistics.bytesInFlight = UInt64(self.bytesInFlight)
        let isLost = self.loss > 0 && Double.random(in: 0..<1, using: &self.random) < self.loss
        let latency = self.configuration.latency
        if isLost {
            self.pathStatistics.packetsLost += 1
        } else if let peer = self.peer {
            _ = self.loop.schedule(after: latency) { [weak peer] in
                peer?.arrive(packet)
            }
        }
        // An end of session outlives its sender's interest in everything else, so this holds on to the endpoint.
        _ = self.loop.schedule(after: latency * 2) {
            self.settle(packet, isLost: isLost)
        }
    }

    /// What comes back after a round trip: an acknowledgement, or the insight that there will be none.
    private func settle(_ packet: InMemoryPacket, isLost: Bool) {
        self.bytesInFlight -= packet.size
        self.pathStatistics.bytesInFlight = UInt64(self.bytesInFlight)
        if self.isClosed {
            guard isLost, let frame = packet.frames.first, case .close(let code, let reason) = frame else { return }
            self.sendClose(code: code, reason: reason)
            return
        }
        if isLost {
            self.pendingFrames.append(contentsOf: packet.frames.filter(\.isReliable))
        } else {
            for frame in packet.frames {
                if case .stream(let id, _, _, _) = frame { self.acknowledge(id) }
            }
        }
        self.scheduleFlush()
    }

    private func acknowledge(_ id: StreamID) {
        guard let stream = self.outbound[id] else { return }
        stream.unacknowledged -= 1
        guard stream.isFinSent, stream.unacknowledged == 0 else { return }
        self.removeOutbound(id)
        self.manager?.streamDelivered(stream.token)
    }

    /// Counts a packet that arrived.
    func didReceive(_ packet: InMemoryPacket) {
        self.pathStatistics.packetsReceived += 1
        self.pathStatistics.bytesReceived += UInt64(packet.size)
    }
}
