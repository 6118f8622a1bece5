// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

/// Counts threads of this process by their names, which the system keeps to 15 bytes.
enum LoopThreads {
    /// The names that begin with `prefix`, sorted.
    static func named(_ prefix: String) -> [String] {
        let folder = "/proc/self/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let statuses = threads.compactMap { try? String(contentsOfFile: "\(folder)/\($0)/stat", encoding: .utf8) }
        return statuses.compactMap(self.name(ofStatus:)).filter { $0.hasPrefix(prefix) }.sorted()
    }

    /// The name in a line such as `17 (label-0) S 1 17 17 0 -1 4194368 …`, nil if the thread is on its way out.
    ///
    /// The kernel wakes who joins a thread a moment before it takes the thread off the list. The seventh field after the
    /// name has the flags, of which 4 (PF_EXITING) is set by then.
    private static func name(ofStatus line: String) -> String? {
        guard let start = line.firstIndex(of: "("), let end = line.lastIndex(of: ")"), start < end else {
            return nil
        }
        let fields = line[line.index(after: end)...].split(separator: " ")
        guard fields.count > 6, let flags = UInt64(fields[6]), flags & 4 == 0 else {
            return nil
        }
        return String(line[line.index(after: start)..<end])
    }

    /// Waits until no thread has such a name any more.
    static func waitForEnd(of prefix: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while !self.named(prefix).isEmpty, ContinuousClock.now < end {}
        #expect(self.named(prefix).isEmpty, sourceLocation: sourceLocation)
    }
}
