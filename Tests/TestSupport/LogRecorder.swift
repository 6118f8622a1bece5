// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

package import Logging
import PacketLoop

/// Keeps what is logged, to be read from any thread.
package final class LogRecorder: Sendable {
    private let content = Locked<[String]>([])

    /// Makes one that has nothing yet.
    package init() {}

    /// The lines so far: level, message and metadata.
    package var lines: [String] { self.content.withLock { $0 } }

    /// A logger that writes here.
    package var logger: Logger {
        Logger(label: "test") { _ in Handler(recorder: self) }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }
            let words = metadata.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            self.recorder.content.withLock { $0.append("\(event.level): \(event.message) \(words)") }
        }
    }
}
