// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import Foundation
import TestSupport
import Testing

@testable import MoQCommand

@Suite("The memory of a relay", .disabled(if: TestBuild.isSanitized), .timeLimit(.minutes(2)))
struct MemoryArenaTests {
    /// How many arenas a process has besides the first: glibc sets 64 MiB of addresses aside for each, and makes a part of
    /// them memory.
    private func arenas(of process: ChildProcess) throws -> Int {
        let size: UInt = 64 << 20
        let maps = try String(contentsOfFile: "/proc/\(process.identifier)/maps", encoding: .utf8)
        var arenas = 0
        var begin: UInt?
        var end: UInt?
        for line in maps.split(separator: "\n") {
            let words = line.split(separator: " ")
            let range = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            if range[0] == end, words[1] == "---p", let start = begin, range[1] - start == size {
                arenas += 1
            }
            let isStart = words[1] == "rw-p" && range[0].isMultiple(of: size)
            begin = isStart ? range[0] : nil
            end = isStart ? range[1] : nil
        }
        return arenas
    }

    private func relay(_ environment: [String: String]) async throws -> Int {
        let relay = try await RunningRelay(options: ["--shards", "2", "--loop", "epoll"], environment: environment)
        let viewer = try ChildProcess(
            ["sub", relay.url, "--fingerprint", relay.fingerprint, "-n", "test", "-t", "nothing", "--duration", "0.1"]
        )
        _ = try await viewer.ending()
        let arenas = try self.arenas(of: relay.process)
        try await relay.stop()
        return arenas
    }

    @Test("All threads of a relay share one arena, unless the environment says otherwise")
    func oneArena() async throws {
        #expect(try await self.relay([:]) == 0)
        #expect(try await self.relay(["MALLOC_ARENA_MAX": "8"]) > 0)
        #expect(try await self.relay(["GLIBC_TUNABLES": "glibc.malloc.arena_max=8"]) > 0)
    }
}
#endif
