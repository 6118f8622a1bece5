// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// How much memory this process has.
enum ProcessMemory {
    /// The resident set in KiB. On systems without `/proc` the largest it has been.
    static var residentKiB: Int {
        if let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) {
            for line in text.split(separator: "\n") where line.hasPrefix("VmRSS:") {
                return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
            }
        }
        var usage = rusage()
        #if canImport(Darwin)
        guard unsafe getrusage(RUSAGE_SELF, &usage) == 0 else { return 0 }
        return Int(usage.ru_maxrss) / 1_024
        #else
        guard unsafe getrusage(RUSAGE_SELF, &usage) == 0 else { return 0 }
        return Int(usage.ru_maxrss)
        #endif
    }
}
