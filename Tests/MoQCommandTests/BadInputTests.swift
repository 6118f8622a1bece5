// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

/// What the program says to input that makes no sense: one line that names it, a status, within five seconds.
@Suite("Bad input", .timeLimit(.minutes(2)))
struct BadInputTests {
    /// A command line, the status it ends with, and what its one line must contain.
    struct Case: Sendable, CustomTestStringConvertible {
        var arguments: [String]
        var status: Int32
        var names: [String]

        var testDescription: String { "moq " + self.arguments.joined(separator: " ") }

        init(_ line: String, _ status: Int32, _ names: String...) {
            self.arguments = line.split(separator: " ").map(String.init)
            self.status = status
            self.names = names
        }
    }

    private static let track = "-n a -t b"

    static let usage: [Case] = [
        Case("relay --listen 127.0.0.1:0 --self-signed --frobnicate", 64, "--frobnicate"),
        Case("frobnicate", 64, "frobnicate"),
        Case("relay --self-signed", 64, "--listen"),
        Case("relay --listen 127.0.0.1 --self-signed", 64, "--listen", "127.0.0.1", "HOST:PORT"),
        Case("relay --listen 127.0.0.1:99999 --self-signed", 64, "--listen", "99999"),
        Case("relay --listen 127.0.0.1:0", 64, "--cert", "--self-signed"),
        Case("relay --listen 127.0.0.1:0 --cert a.pem", 64, "--key"),
        Case("relay --listen 127.0.0.1:0 --key a.pem", 64, "--cert"),
        Case("relay --listen 127.0.0.1:0 --self-signed --cc warp", 64, "--cc", "warp"),
        Case("relay --listen 127.0.0.1:0 --self-signed --drafts 18,99", 64, "--drafts", "99"),
        Case("relay --listen 127.0.0.1:0 --self-signed --log-level loud", 64, "--log-level", "loud"),
        Case("relay --listen 127.0.0.1:0 --self-signed --max-connections 0", 64, "--max-connections"),
        Case("sub relay.example:4433 \(track)", 64, "relay.example:4433"),
        Case("sub ftp://relay.example:4433 \(track)", 64, "ftp://relay.example:4433"),
        Case("sub moqt://:4433 \(track)", 64, "moqt://:4433"),
        Case("sub moqt://host:99999 \(track)", 64, "moqt://host:99999"),
        Case("sub moqt://127.0.0.1:4433 -t b", 64, "--namespace"),
        Case("sub moqt://127.0.0.1:4433 -n a", 64, "--track"),
        Case("sub moqt://127.0.0.1:4433 -n / -t b", 64, "--namespace"),
        Case("sub moqt://127.0.0.1:4433 \(track) --wait soon", 64, "--wait", "soon"),
        Case("sub moqt://127.0.0.1:4433 \(track) --fingerprint abc", 64, "--fingerprint", "abc"),
        Case("sub moqt://127.0.0.1:4433 \(track) --insecure --ca x", 64, "--insecure", "--ca"),
        Case("pub \(track) --input x", 64, "--listen"),
        Case("pub moqt://127.0.0.1:4433 --listen 127.0.0.1:0 \(track) --input x", 64, "--listen"),
        Case("pub moqt://127.0.0.1:4433 \(track)", 64, "--input"),
        Case("pub moqt://127.0.0.1:4433 \(track) --input x --object-size 0", 64, "--object-size"),
        Case(
            "pub moqt://127.0.0.1:4433 \(track) --input x --datagrams --object-size 5000",
            64,
            "--object-size",
            "datagram"
        ),
        Case("pub moqt://127.0.0.1:4433 \(track) --input x --rate 0", 64, "--rate"),
        Case("pub moqt://127.0.0.1:4433 \(track) --input x --group-size 0", 64, "--group-size"),
        Case("clock moqt://127.0.0.1:4433 \(track) --interval 0", 64, "--interval"),
        Case("bench wake --count 0", 64, "--count"),
    ]

    @Test("A command line that makes no sense ends with status 64", arguments: usage)
    func usage(_ example: Case) async throws {
        try await self.check(example)
    }

    static let failures: [Case] = [
        Case("pub moqt://127.0.0.1:4433 \(track) --input /nowhere/file", 1, "/nowhere/file", "no such file"),
        Case("pub moqt://127.0.0.1:4433 \(track) --input /", 1, "--input '/'", "directory"),
        Case("sub moqt://127.0.0.1:4433 --insecure \(track) --output /nowhere/file", 1, "/nowhere/file"),
        Case("sub moqt://127.0.0.1:4433 --ca /nowhere/ca.pem \(track)", 1, "/nowhere/ca.pem"),
        Case("relay --listen 127.0.0.1:0 --cert /nowhere/c.pem --key /nowhere/k.pem", 1, "/nowhere/c.pem"),
        Case("relay --listen 127.0.0.1:0 --self-signed --keylog /nowhere/keys", 1, "/nowhere/keys"),
        Case("relay --listen 127.0.0.1:0 --self-signed --qlog-dir /nowhere/qlog", 1, "/nowhere/qlog"),
        Case("relay --listen 192.0.2.1:0 --self-signed", 1, "192.0.2.1"),
        Case("relay --listen host.invalid:0 --self-signed", 1, "host.invalid"),
        Case("sub moqt://host.invalid:4433 --insecure \(track)", 1, "host.invalid"),
        Case("sub moqt://127.0.0.1:9 --insecure \(track)", 1, "127.0.0.1:9"),
        Case("pub moqt://127.0.0.1:9 --insecure \(track) --input /dev/null", 1, "127.0.0.1:9"),
    ]

    @Test("What cannot be done ends with status 1", arguments: failures)
    func failures(_ example: Case) async throws {
        try await self.check(example)
    }

    private func check(_ example: Case) async throws {
        let ending = try await ChildProcess(example.arguments, input: Data()).ending(within: 15)
        #expect(ending.status == example.status)
        #expect(ending.output.isEmpty)
        #expect(ending.complaintLines.count == 1, "\(ending.complaints)")
        #expect(ending.complaints.hasPrefix("moq: "))
        for name in example.names {
            #expect(ending.complaints.contains(name), "\(ending.complaints)")
        }
        #expect(ending.seconds < 5)
    }

    @Test("A key that does not belong to the certificate is refused, and so is a file that holds none")
    func credentials() async throws {
        try await TemporaryDirectory.use { directory in
            let first = try TestCredentials(in: directory, name: "one")
            let second = try TestCredentials(in: directory, name: "two")
            let garbage = directory + "/garbage.pem"
            #expect(FileManager.default.createFile(atPath: garbage, contents: Data("not a key".utf8)))
            let listen = ["relay", "--listen", "127.0.0.1:0"]
            try await self.check(
                Case(arguments: listen + ["--cert", first.certificate, "--key", second.key], 1, second.key)
            )
            try await self.check(Case(arguments: listen + ["--cert", garbage, "--key", first.key], 1, garbage))
            try await self.check(Case(arguments: listen + ["--cert", first.certificate, "--key", garbage], 1, garbage))
        }
    }

    @Test("A port in use is named")
    func portInUse() async throws {
        let relay = try await RunningRelay()
        try await self.check(Case("relay --listen \(relay.authority) --self-signed", 1, relay.authority))
        try await relay.stop()
    }

    @Test("A relay without a common draft is named, with the drafts")
    func noCommonDraft() async throws {
        let relay = try await RunningRelay("--drafts", "18")
        try await self.check(
            Case("sub \(relay.url) --insecure --drafts 16 \(Self.track)", 1, relay.authority, "16")
        )
        try await relay.stop()
    }

    @Test("A certificate that is not trusted is refused, with each way to trust")
    func untrusted() async throws {
        try await TemporaryDirectory.use { directory in
            let other = try TestCredentials(in: directory, name: "other")
            let relay = try await RunningRelay()
            let zeros = String(repeating: "0", count: 64)
            for trust in ["", "--fingerprint \(zeros)", "--ca \(other.certificate)"] {
                try await self.check(Case("sub \(relay.url) \(trust) \(Self.track)", 1, relay.authority, "certificate"))
            }
            try await relay.stop()
        }
    }

    @Test("A track that does not exist is named, and no output file is left")
    func noTrack() async throws {
        try await TemporaryDirectory.use { directory in
            let relay = try await RunningRelay()
            let output = "--output \(directory)/file"
            try await self.check(Case("sub \(relay.url) --insecure -n no/such -t thing \(output)", 1, "no/such/thing"))
            try await self.check(
                Case("sub \(relay.url) --insecure -n no/such -t thing \(output) --wait 1", 1, "no/such/thing")
            )
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            try await relay.stop()
        }
    }
}

extension BadInputTests.Case {
    init(arguments: [String], _ status: Int32, _ names: String...) {
        self.arguments = arguments
        self.status = status
        self.names = names
    }
}
