// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// What a process has used since it began, and the memory it has.
struct ProcessUsage: Hashable, Sendable {
    /// CPU in its own code, in seconds.
    var userSeconds = 0.0
    /// CPU in the kernel for it, in seconds.
    var systemSeconds = 0.0
    /// The resident memory, in bytes.
    var residentBytes: UInt64 = 0
    /// How often one of its threads waited.
    var voluntarySwitches: UInt64 = 0
    /// How often one of its threads had to make way for another.
    var involuntarySwitches: UInt64 = 0

    /// All CPU, in seconds.
    var cpuSeconds: Double { self.userSeconds + self.systemSeconds }

    /// What this process has used.
    static var own: ProcessUsage {
        var usage = rusage()
        #if os(Linux)
        unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
        #else
        unsafe getrusage(RUSAGE_SELF, &usage)
        #endif
        return ProcessUsage(
            userSeconds: self.seconds(usage.ru_utime),
            systemSeconds: self.seconds(usage.ru_stime),
            residentBytes: UInt64(clamping: ProcessMemory.residentKiB) << 10,
            voluntarySwitches: UInt64(clamping: usage.ru_nvcsw),
            involuntarySwitches: UInt64(clamping: usage.ru_nivcsw)
        )
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }
}
