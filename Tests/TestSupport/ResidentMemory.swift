// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import Foundation

/// The memory that this process has: what it uses, and what its allocator keeps.
package enum ResidentMemory {
    /// In bytes; 0 when the system does not say.
    package static var byteCount: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
    }
}
#endif
