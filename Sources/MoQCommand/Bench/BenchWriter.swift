// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop
internal import WebTransport

/// Sends on several streams at once as fast as the session takes it, never beyond the high watermarks. (loop)
final class BenchWriter: SendStreamDelegate {
    private struct Progress {
        var stream: SendStream
        var written: UInt64 = 0
    }

    private let share: UInt64
    private let completed: (_ isDelivered: Bool) -> Void
    private var progress: [StreamID: Progress] = [:]
    private var openCount = 0
    private var isDelivered = true

    /// How many bytes were written on all streams.
    private(set) var byteCount: UInt64 = 0

    /// Opens the streams and begins.
    /// - Parameters:
    ///   - byteCount: how much each stream carries, a multiple of the pattern's unit.
    ///   - completed: called once, when every stream is over: whether all was delivered.
    /// - Throws: what opening a stream throws.
    init(
        _ session: any WebTransportSession,
        streams: Int,
        byteCount: UInt64,
        priority: StreamPriority,
        completed: @escaping (_ isDelivered: Bool) -> Void
    ) throws {
        self.share = byteCount
        self.completed = completed
        for _ in 0..<streams {
            let stream = try session.openUnidirectionalStream(priority: priority)
            stream.delegate = self
            self.progress[stream.id] = Progress(stream: stream)
            self.openCount += 1
        }
        for stream in self.progress.values.map(\.stream).sorted(by: { $0.id < $1.id }) {
            self.fill(stream)
        }
    }

    private func fill(_ stream: SendStream) {
        while var progress = self.progress[stream.id], stream.isWritable, !stream.isAboveHighWatermark {
            let count = Int(min(UInt64(BenchPattern.chunk), self.share - progress.written))
            guard count > 0 else {
                try? stream.finish()
                return
            }
            // A refusal ends the loop: the stream's end is told to the delegate.
            guard (try? stream.write(BenchPattern.make(stream.id, from: progress.written, count: count))) != nil else {
                return
            }
            progress.written += UInt64(count)
            self.byteCount += UInt64(count)
            self.progress[stream.id] = progress
        }
    }

    private func ended(_ stream: SendStream) {
        guard self.progress.removeValue(forKey: stream.id) != nil else { return }
        self.isDelivered = self.isDelivered && stream.isDelivered
        self.openCount -= 1
        if self.openCount == 0 {
            self.completed(self.isDelivered)
        }
    }

    func sendStreamDidDrain(_ stream: SendStream) {
        self.fill(stream)
    }

    func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.ended(stream)
    }

    func sendStreamDidComplete(_ stream: SendStream) {
        self.ended(stream)
    }
}
