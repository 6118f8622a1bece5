// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// How much memory this process has.
enum ProcessMemory {
    /// The resident set in KiB, on Linux. On systems without `/proc` the largest it has been.
    static var residentKiB: Int {
        #if os(Linux)
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0
        #else
        var usage = rusage()
        guard unsafe getrusage(RUSAGE_SELF, &usage) == 0 else { return 0 }
        return Int(usage.ru_maxrss) / 1_024
        #endif
    }
}
