// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

/// Clients that come back to a relay, and a relay that comes back to its clients.
@Suite("Tickets and secrets", .timeLimit(.minutes(2)))
struct ResumptionTests {
    /// A relay with a certificate in files.
    private func relay(_ credentials: TestCredentials, listen: String, _ arguments: String...) throws -> ChildProcess {
        let fixed = ["relay", "--listen", listen, "--cert", credentials.certificate, "--key", credentials.key]
        return try ChildProcess(fixed + arguments, input: Data())
    }

    private func stop(_ relay: ChildProcess) async throws {
        relay.send(SIGTERM)
        #expect(try await relay.ending(within: 10).status == 0)
    }

    /// Connects once and asks for a track that nobody has; returns what the client logged.
    private func visit(_ url: String, _ credentials: TestCredentials, tickets: String) async throws -> String {
        let arguments = [
            "status", url, "--fingerprint", credentials.fingerprint, "-n", "a", "-t", "b", "--tickets", tickets,
            "--log-level", "debug",
        ]
        let ending = try await ChildProcess(arguments, input: Data()).ending()
        #expect(ending.status == 1 && ending.complaints.contains("DOES_NOT_EXIST"), "\(ending.complaints)")
        return ending.complaints
    }

    @Test("With --tickets a client resumes, and with --secrets even after the relay was restarted")
    func restart() async throws {
        try await TemporaryDirectory.use { directory in
            let credentials = try TestCredentials(in: directory, name: "relay")
            let secrets = "\(directory)/secrets"
            let tickets = "\(directory)/tickets"
            var relay = try self.relay(credentials, listen: "127.0.0.1:0", "--secrets", secrets)
            let url = try await relay.outputLine(after: "listening ")
            let address = String(url.dropFirst("moqt://".count))
            #expect(try await self.visit(url, credentials, tickets: tickets).contains("resumed=false"))
            let second = try await self.visit(url, credentials, tickets: tickets)
            #expect(second.contains("resumed=true") && second.contains("early-data=accepted"))
            try await self.stop(relay)

            relay = try self.relay(credentials, listen: address, "--secrets", secrets, "--retry", "always")
            _ = try await relay.outputLine(after: "listening ")
            #expect(try await self.visit(url, credentials, tickets: tickets).contains("resumed=true"))
            try await self.stop(relay)

            try FileManager.default.removeItem(atPath: secrets)
            relay = try self.relay(credentials, listen: address, "--secrets", secrets)
            _ = try await relay.outputLine(after: "listening ")
            let last = try await self.visit(url, credentials, tickets: tickets)
            #expect(last.contains("resumed=false") && last.contains("early-data=refused"))
            try await self.stop(relay)
            for file in [secrets, tickets] {
                let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
                #expect(mode == 0o600)
            }
        }
    }

    @Test("A secrets file that others can read is refused, and a ticket file that cannot be used is only reported")
    func badFiles() async throws {
        try await TemporaryDirectory.use { directory in
            let credentials = try TestCredentials(in: directory, name: "relay")
            let file = "\(directory)/file"
            try Data("something else".utf8).write(to: URL(fileURLWithPath: file))
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
            let refused = try await self.relay(credentials, listen: "127.0.0.1:0", "--secrets", file).ending()
            #expect(refused.status == 1)
            #expect(refused.complaints.contains("--secrets") && refused.complaints.contains("open to other users"))
            let relay = try self.relay(credentials, listen: "127.0.0.1:0")
            let url = try await relay.outputLine(after: "listening ")
            let log = try await self.visit(url, credentials, tickets: file)
            #expect(log.contains("note: ") && log.contains(file))
            #expect(log.contains("resumed=false"))
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "something else")
            try await self.stop(relay)
        }
    }
}
