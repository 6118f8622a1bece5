// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

/// A relay on loopback, at a port of the system's choice.
struct RunningRelay {
    /// The process.
    let process: ChildProcess
    /// Where clients connect to.
    let url: String
    /// The fingerprint of its certificate.
    let fingerprint: String

    /// Starts a relay with a certificate of its own and waits until it can be connected to.
    init(_ arguments: String...) async throws {
        try await self.init(options: arguments)
    }

    /// Starts a relay with a certificate of its own and waits until it can be connected to.
    init(options arguments: [String], environment: [String: String] = [:]) async throws {
        let fixed = ["relay", "--listen", "127.0.0.1:0", "--self-signed"]
        self.process = try ChildProcess(fixed + arguments, input: Data(), environment: environment)
        self.fingerprint = try await self.process.outputLine(after: "fingerprint sha-256 ")
        self.url = try await self.process.outputLine(after: "listening ")
    }

    /// Starts a relay with a certificate from files at a given address, and waits until it can be connected to.
    init(at address: String, with credentials: TestCredentials, options: [String] = []) async throws {
        let fixed = ["relay", "--listen", address, "--cert", credentials.certificate, "--key", credentials.key]
        self.process = try ChildProcess(fixed + options, input: Data())
        self.fingerprint = credentials.fingerprint
        self.url = try await self.process.outputLine(after: "listening ")
    }

    /// Host and port.
    var authority: String {
        String(self.url.dropFirst("moqt://".count))
    }

    /// Ends the relay in order; it must exit with status 0.
    func stop(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        self.process.send(SIGTERM)
        let ending = try await self.process.ending(within: 10)
        #expect(ending.status == 0, "\(ending.complaints)", sourceLocation: sourceLocation)
    }

    /// Asks for the live counters, the `number`th time, and returns them by name.
    func counters(_ number: Int = 1) async throws -> [String: String] {
        self.process.send(SIGUSR1)
        return Self.parse(try await self.process.complaintLine(after: "stats ", skipping: number - 1))
    }

    /// Asks for the live counters, however often that was done before, and returns them by name.
    func nextCounters() async throws -> [String: String] {
        let earlier = self.process.complaintLineCount(after: "stats ")
        self.process.send(SIGUSR1)
        return Self.parse(try await self.process.complaintLine(after: "stats ", skipping: earlier))
    }

    private static func parse(_ line: String) -> [String: String] {
        Dictionary(
            line.split(separator: " ").compactMap { figure in
                let parts = figure.split(separator: "=", maxSplits: 1)
                return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
            },
            uniquingKeysWith: { first, _ in first }
        )
    }
}
