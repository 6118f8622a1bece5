// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// Collects received bytes, as small as packets, into batches for a thread that writes them. (loop)
///
/// Waking that thread for every packet would cost more than the packet.
final class OutputBatcher {
    /// A batch is handed on when it has this many bytes,
    private static let batchSize = 512 << 10
    /// or when its first bytes have waited this long.
    private static let batchDelay = Duration.milliseconds(2)

    private let loop: PacketLoop
    private let deliver: ([Bytes]) -> Void
    private var batch: [Bytes] = []
    private var byteCount = 0
    private var timer: LoopTimer?

    /// Makes a batcher that hands its batches to `deliver`.
    init(loop: PacketLoop, deliver: @escaping ([Bytes]) -> Void) {
        self.loop = loop
        self.deliver = deliver
    }

    /// Adds bytes to the batch.
    func append(_ bytes: Bytes) {
        self.batch.append(bytes)
        self.byteCount += bytes.count
        if self.byteCount >= Self.batchSize {
            self.flush()
        } else if self.timer == nil {
            // The timer keeps the batcher, so that nothing is lost when its user goes first.
            self.timer = self.loop.schedule(after: Self.batchDelay) {
                self.flush()
            }
        }
    }

    /// Hands on what there is.
    func flush() {
        self.timer?.cancel()
        self.timer = nil
        guard !self.batch.isEmpty else { return }
        let batch = self.batch
        self.batch = []
        self.batch.reserveCapacity(batch.count)
        self.byteCount = 0
        self.deliver(batch)
    }
}
