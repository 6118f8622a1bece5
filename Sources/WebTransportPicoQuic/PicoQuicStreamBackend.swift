// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import PicoQuic
import WebTransport

/// Carries out on a QUIC connection what the stream manager decides. (loop)
///
/// The library may call back from within most of these calls' surroundings, but not from within the calls, so nothing here
/// calls the manager, except where the manager is an argument.
final class PicoQuicStreamBackend {
    /// Stands for a stream that was refused: no stream has it, so that later events of the stream are stale.
    private static let refusedToken = UInt64.max
    /// Stands for a stream that is kept ready for whoever waits until the peer allows one more; no stream has it either.
    static let spareToken = UInt64.max - 1

    private let connection: QUICConnection
    private let loop: PacketLoop
    /// Whether limits were raised before the connection could tell the peer.
    var hasUntoldLimits = false
    /// How much was reported of the streams that were stopped: what came after it is counted when they end.
    private var stopped: [UInt64: UInt64] = [:]
    /// The stream that is kept ready, of each kind, and whether the peer allows it.
    private var spares = (unidirectional: Spare?.none, bidirectional: Spare?.none)

    /// A stream that nobody has opened yet. It has the number that the next one opened gets.
    ///
    /// The library has no event for a raised stream limit, but it asks a stream that is marked active for data as soon as
    /// the limit lets it send. So the next stream is taken and marked, and the question for it is the event. It also makes
    /// the library tell the peer that this side is blocked. Nothing of it is on the wire until it is opened.
    private struct Spare {
        var stream: UInt64
        var isAllowed = false
    }

    init(connection: QUICConnection, loop: PacketLoop) {
        self.connection = connection
        self.loop = loop
    }

    /// The addresses of the path in use; after the connection's end those that it had last.
    var addresses: (local: String, peer: String) {
        (self.connection.localAddress?.description ?? "", self.connection.peerAddress?.description ?? "")
    }

    /// The spare stream of a kind.
    private subscript(spareOf isUnidirectional: Bool) -> Spare? {
        get { isUnidirectional ? self.spares.unidirectional : self.spares.bidirectional }
        set {
            if isUnidirectional { self.spares.unidirectional = newValue } else { self.spares.bidirectional = newValue }
        }
    }

    /// Takes note that the library asked the spare stream for data.
    func spareIsAllowed(_ id: StreamID) {
        self[spareOf: id.isUnidirectional]?.isAllowed = true
    }

    /// Keeps a token with a stream of the peer.
    func attach(_ token: StreamToken, to id: StreamID) {
        // This fails only when the connection just ended, and then there is nothing to find by the token.
        try? self.connection.reserve(stream: id.rawValue, token: token.rawValue)
    }

    /// Turns a stream of the peer away.
    func refuse(_ id: StreamID) {
        self.stopped[id.rawValue] = 0
        try? self.connection.stopSending(stream: id.rawValue, code: 0, token: Self.refusedToken)
        guard !id.isUnidirectional else { return }
        try? self.connection.reset(stream: id.rawValue, code: 0, token: Self.refusedToken)
    }

    /// Forgets what is kept for streams, when the connection is over.
    func detach() {
        self.stopped = [:]
        self.spares = (nil, nil)
    }

    /// Counts what the peer sent on a stream that it reset and what was not reported, so that it may send that much more on
    /// others.
    func countUnreported(_ stream: UInt64, manager: WebTransportStreamManager) {
        let reported = self.stopped.removeValue(forKey: stream)
        guard let offsets = self.connection.settleReceiving(stream: stream) else { return }
        let known = reported ?? offsets.delivered
        guard offsets.highest > known else { return }
        manager.discarded(Int(clamping: offsets.highest - known))
    }

    /// The same for a stream that this side had stopped and that has come to its end.
    func countUnreportedIfStopped(_ stream: UInt64, manager: WebTransportStreamManager) {
        guard self.stopped[stream] != nil else { return }
        self.countUnreported(stream, manager: manager)
    }

    /// Says once more that a stream has something to send, outside the library's question for it, whose answer would win.
    func markActiveLater(_ id: StreamID) {
        _ = self.loop.schedule(at: self.loop.now) { [connection] in
            try? connection.markActive(stream: id.rawValue)
        }
    }

    /// The same for datagrams.
    func markDatagramsReadyLater() {
        _ = self.loop.schedule(at: self.loop.now) { [connection] in
            try? connection.markDatagramsReady()
        }
    }

    /// What the library knows of the path; after the connection's end what it knew then.
    var pathStatistics: WebTransportPathStatistics {
        let known = self.connection.statistics
        var path = WebTransportPathStatistics()
        path.smoothedRoundTrip = known.smoothedRoundTrip
        path.minimumRoundTrip = known.minimumRoundTrip
        path.roundTripVariation = known.roundTripVariation
        path.congestionWindow = known.congestionWindow
        path.bytesInFlight = known.bytesInFlight
        path.pacingRate = known.pacingRate
        path.receiveRate = known.receiveRate
        path.bytesSent = known.bytesSent
        path.bytesReceived = known.bytesReceived
        path.packetsSent = known.packetsSent
        path.packetsReceived = known.packetsReceived
        path.packetsLost = known.packetsLost
        path.spuriousLosses = known.spuriousLosses
        return path
    }
}

extension PicoQuicStreamBackend: WebTransportStreamBackend {
    var currentTime: UInt64 { self.loop.now.microseconds }

    var maximumDatagramSize: Int { self.connection.isOpen ? self.connection.maximumDatagramSize : 0 }

    func openStream(
        unidirectional: Bool,
        priority: StreamPriority,
        token: StreamToken
    ) throws(WebTransportError) -> StreamID {
        do throws(QUICError) {
            let stream: UInt64
            if let spare = self[spareOf: unidirectional] {
                stream = spare.stream
                try self.connection.reserve(stream: stream, token: token.rawValue)
                self[spareOf: unidirectional] = nil
            } else {
                stream = try self.connection.openStream(isUnidirectional: unidirectional, token: token.rawValue)
            }
            try self.connection.setPriority(priority.rawValue, stream: stream)
            return StreamID(rawValue: stream)
        } catch {
            let code: WebTransportError.Code =
                switch error.code {
                case .connectionClosed: .sessionClosed
                case .streamLimit: .streamLimit
                default: .transport
                }
            throw WebTransportError(code, error.message)
        }
    }

    func streamCredit(unidirectional: Bool) -> UInt64 {
        guard self.connection.isOpen else { return 0 }
        let isSpareAllowed = self[spareOf: unidirectional]?.isAllowed == true
        return self.connection.streamCredit(isUnidirectional: unidirectional) + (isSpareAllowed ? 1 : 0)
    }

    func awaitStreamCredit(unidirectional: Bool) {
        guard self[spareOf: unidirectional] == nil else { return }
        // This fails only when the connection is over, and then those who wait hear of that.
        guard
            let stream = try? self.connection.openStream(isUnidirectional: unidirectional, token: Self.spareToken)
        else { return }
        self[spareOf: unidirectional] = Spare(stream: stream)
        try? self.connection.setPriority(StreamPriority.control.rawValue, stream: stream)
        try? self.connection.markActive(stream: stream)
    }

    /// Nothing: QUIC has no signal for it.
    func drainTransport() {}

    // The calls below fail only when the library is done with the stream or the connection already. Their events tell.

    func streamBecameReady(_ id: StreamID, token: StreamToken) {
        try? self.connection.markActive(stream: id.rawValue)
    }

    func setPriority(_ priority: StreamPriority, of id: StreamID, token: StreamToken) {
        try? self.connection.setPriority(priority.rawValue, stream: id.rawValue)
    }

    func isAcknowledged(_ count: UInt64, of id: StreamID) -> Bool {
        self.connection.isAcknowledged(stream: id.rawValue, count: count)
    }

    func resetStream(_ id: StreamID, code: UInt64, token: StreamToken) {
        try? self.connection.reset(stream: id.rawValue, code: code, token: token.rawValue)
    }

    func stopSending(_ id: StreamID, code: UInt64, received: UInt64, token: StreamToken) {
        self.stopped[id.rawValue] = received
        try? self.connection.stopSending(stream: id.rawValue, code: code, token: token.rawValue)
    }

    func raiseReceiveLimit(of id: StreamID, to limit: UInt64, received: UInt64, token: StreamToken) {
        if !self.connection.raiseReceiveLimit(stream: id.rawValue, to: limit) { self.hasUntoldLimits = true }
    }

    func raiseSessionReceiveLimit(to limit: UInt64) {
        if !self.connection.raiseReceiveLimit(to: limit) { self.hasUntoldLimits = true }
    }

    func datagramsBecameReady() {
        try? self.connection.markDatagramsReady()
    }

    func streamRetired(_ id: StreamID, token: StreamToken) {}

    func closeTransport(code: UInt64, reason: String) {
        self.connection.close(code: code, reason: reason)
        self.stopped = [:]
    }
}
