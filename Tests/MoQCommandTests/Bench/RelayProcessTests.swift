// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import Foundation
import Testing

@testable import MoQCommand

@Suite("What a process uses")
struct RelayProcessTests {
    @Test("Seen from outside, a process has used what it says itself")
    func comparison() throws {
        var waste: UInt64 = 1
        let start = ProcessUsage.own
        while ProcessUsage.own.cpuSeconds - start.cpuSeconds < 0.03 {
            waste = waste &* 31 &+ 7
        }
        let before = ProcessUsage.own
        let usage = try RelayProcess(getpid()).usage()
        let after = ProcessUsage.own
        // The system tells in hundredths of a second, and two numbers are rounded.
        #expect(usage.cpuSeconds >= before.cpuSeconds - 0.03, "\(waste)")
        #expect(usage.cpuSeconds <= after.cpuSeconds + 0.03)
        #expect(usage.residentBytes > 1 << 20)
        #expect(usage.voluntarySwitches > 0)
    }

    @Test("A process that does not exist is named")
    func missing() {
        #expect {
            _ = try RelayProcess(.max)
        } throws: { error in
            "\(error)" == "--relay-pid 2147483647: there is no such process"
        }
    }

    @Test("A process that ended meanwhile is named")
    func ended() async throws {
        let child = try ChildProcess(["relay", "--listen", "127.0.0.1:0", "--self-signed"])
        let process = try RelayProcess(child.identifier)
        _ = try process.usage()
        child.send(SIGKILL)
        _ = try await child.ending(within: 10)
        #expect {
            _ = try process.usage()
        } throws: { error in
            "\(error)" == "--relay-pid \(child.identifier): the process has ended"
        }
    }
}
#endif
