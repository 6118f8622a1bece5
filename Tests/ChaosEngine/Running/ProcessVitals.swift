// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the operating system says of this process.
enum ProcessVitals {
    /// How many descriptors are open.
    static var descriptors: Int { self.openDescriptors.count }

    /// Which descriptors are open.
    static var openDescriptors: [CInt] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return names?.compactMap { CInt($0) } ?? []
    }

    /// How many of them are sockets.
    static var sockets: Int {
        self.openDescriptors.count { descriptor in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
            return target?.hasPrefix("socket:") ?? false
        }
    }

    /// How many bytes of memory the process has.
    static var residentBytes: Int {
        let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = text?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
    }

    /// How much time the process has spent on processors.
    static var processorTime: Duration {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Has the sanitizer, if one runs along, start the program that it asks for the names of functions, and so open the
    /// descriptors that it talks to it with.
    static func startSymbolizer() {
        typealias Symbolize =
            @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, Int) -> Void
        // A null handle searches the whole program.
        guard let symbol = unsafe dlsym(nil, "__sanitizer_symbolize_pc") else { return }
        let symbolize = unsafe unsafeBitCast(symbol, to: Symbolize.self)
        var text = [CChar](repeating: 0, count: 1_024)
        unsafe text.withUnsafeMutableBufferPointer { unsafe symbolize(symbol, "%f", $0.baseAddress, $0.count) }
    }

    /// Opens a descriptor.
    static func openDescriptor() -> CInt { dup(0) }

    /// Closes a descriptor.
    static func close(_ descriptor: CInt) {
        #if canImport(Glibc)
        _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
        _ = Musl.close(descriptor)
        #endif
    }
}
