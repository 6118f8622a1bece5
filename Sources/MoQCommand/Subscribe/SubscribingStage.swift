// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Everything of `moq sub` that lives on the loop: the subscription, and the way from it to the writer. (loop)
final class SubscribingStage: OutputStage {
    /// What was asked for.
    struct Wish: Sendable {
        /// The track.
        var name: FullTrackName
        /// What messages call it.
        var displayName: String
        /// How long to wait for a track that does not exist.
        var wait: Duration
        /// After how long to end; nil for at the end of the track.
        var duration: Duration?
        /// How many bytes may be held to put them in order.
        var reorderLimit: Int
        /// Whether to compare ticks of a clock with the time.
        var measuresLatency: Bool
    }

    private let loop: PacketLoop
    private let wish: Wish
    private let writer: OutputWriter
    private let outcome: Outcome<ReceptionReport>
    private var peer: SubscribingPeer?
    private var receiver: TrackReceiver?
    private var session: MoQSession?
    private var isPaused = false

    /// Prepares to subscribe. `outcome` learns what was received, or why nothing was.
    init(loop: PacketLoop, wish: Wish, writer: OutputWriter, outcome: Outcome<ReceptionReport>) {
        self.loop = loop
        self.wish = wish
        self.writer = writer
        self.outcome = outcome
    }

    /// Makes the handler of the session, and keeps the session when it stands, to close it in order. Called once.
    func attach() -> ClientEndpoint.Attachment {
        ClientEndpoint.Attachment(handler: self.makePeer()) { session in
            self.session = session
        }
    }

    private func makePeer() -> SubscribingPeer {
        let outcome = self.outcome
        let limit = self.wish.reorderLimit
        let receiver = TrackReceiver(
            loop: self.loop,
            holding: limit,
            measuresLatency: self.wish.measuresLatency,
            deliver: { [weak self] batch in
                self?.write(batch)
            },
            overflowed: {
                outcome.fail(
                    CommandFailure("more than \(limit >> 20) MiB wait for missing objects, see --reorder-limit")
                )
            },
            ended: { [weak self] end in
                self?.peer?.trackEnded(end)
            }
        )
        self.receiver = receiver
        let peer = SubscribingPeer(
            loop: self.loop,
            name: self.wish.name,
            displayName: self.wish.displayName,
            filter: nil,
            wait: self.wish.wait,
            duration: self.wish.duration,
            receiver: receiver
        ) { ending in
            switch ending {
            case .complete: outcome.succeed(receiver.report)
            case .failed(let failure): outcome.fail(failure)
            }
        }
        self.peer = peer
        return peer
    }

    /// What has been received so far.
    var report: ReceptionReport {
        self.receiver?.report ?? ReceptionReport()
    }

    /// The writer has written most of what waited.
    func writerDrained() {
        guard self.isPaused else { return }
        self.isPaused = false
        self.peer?.resume()
    }

    /// Closes the session; `completion` is called on the loop when that can be done without losing anything.
    func close(completion: @escaping () -> Void) {
        guard let session = self.session else {
            completion()
            return
        }
        SessionFlush.wait(for: [session], on: self.loop, timeout: .milliseconds(500)) {
            session.close(.noError, reason: "")
            completion()
        }
    }

    private func write(_ batch: [Bytes]) {
        if self.writer.submit(batch) > OutputWriter.highWatermark, !self.isPaused {
            self.isPaused = true
            self.peer?.pause()
        }
    }
}
