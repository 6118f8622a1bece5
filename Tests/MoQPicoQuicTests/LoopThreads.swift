// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

/// Counts threads of this process by their names, which the system keeps to 15 bytes.
enum LoopThreads {
    /// The names that begin with `prefix`, sorted.
    static func named(_ prefix: String) -> [String] {
        let folder = "/proc/self/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let names = threads.compactMap { try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8) }
        return names.map { $0.trimmingCharacters(in: .newlines) }.filter { $0.hasPrefix(prefix) }.sorted()
    }

    /// Waits until no thread has such a name any more.
    static func waitForEnd(of prefix: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while !self.named(prefix).isEmpty, ContinuousClock.now < end {}
        #expect(self.named(prefix).isEmpty, sourceLocation: sourceLocation)
    }
}
