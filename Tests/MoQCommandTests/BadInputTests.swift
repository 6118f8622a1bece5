// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import TestSupport
import Testing

@testable import MoQCommand

/// What the program says to input that makes no sense: one line that names it, a status, within five seconds.
@Suite("Bad input", .serialized, .timeLimit(.minutes(2)))
struct BadInputTests {
    private static let track = "-n a -t b"

    static let senseless: [BadInput] = [
        BadInput("relay --listen 127.0.0.1:0 --self-signed --frobnicate", 64, "--frobnicate"),
        BadInput("frobnicate", 64, "frobnicate"),
        BadInput("relay --self-signed", 64, "--listen"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --shards 0", 64, "--shards must be 1 to 8"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --shards 9", 64, "--shards must be 1 to 8"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --shards abc", 64, "--shards", "abc"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --shards 2 --loop picoquic", 64, "--shards", "--loop epoll"),
        BadInput("relay --listen 127.0.0.1 --self-signed", 64, "--listen", "127.0.0.1", "HOST:PORT"),
        BadInput("relay --listen 127.0.0.1:99999 --self-signed", 64, "--listen", "99999"),
        BadInput("relay --listen 127.0.0.1:0", 64, "--cert", "--self-signed"),
        BadInput("relay --listen 127.0.0.1:0 --cert a.pem", 64, "--key"),
        BadInput("relay --listen 127.0.0.1:0 --key a.pem", 64, "--cert"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --cc warp", 64, "--cc", "warp"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --cc cubic:Q1", 64, "--cc", "'cubic' takes no options"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --cc bbr1:X", 64, "--cc", "'X'", "bbr1:Q0.05"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --busy-poll 1000001", 64, "--busy-poll must be 0 to"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --busy-poll soon", 64, "--busy-poll", "soon"),
        BadInput("sub moqt://127.0.0.1:4433 \(track) --busy-poll 5 --loop picoquic", 64, "--busy-poll", "--loop epoll"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --drafts 18,99", 64, "--drafts", "99"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --log-level loud", 64, "--log-level", "loud"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --max-connections 0", 64, "--max-connections"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --max-connections 1000001", 64, "--max-connections"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --retry often", 64, "--retry", "often"),
        BadInput("pub moqt://127.0.0.1:4433 \(track) --input x --secrets y", 64, "--secrets", "--listen"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --tickets x", 64, "--tickets"),
        BadInput(
            "relay --listen 127.0.0.1:0 --self-signed --token-file /no/such/file",
            64,
            "--token-file",
            "/no/such/file"
        ),
        BadInput("sub moqt://127.0.0.1:4433 \(track) --token-file /dev/null", 64, "--token-file", "no token"),
        BadInput("sub relay.example:4433 \(track)", 64, "relay.example:4433"),
        BadInput("sub ftp://relay.example:4433 \(track)", 64, "ftp://relay.example:4433"),
        BadInput("sub moqt://:4433 \(track)", 64, "moqt://:4433"),
        BadInput("sub moqt://host:99999 \(track)", 64, "moqt://host:99999"),
        BadInput("sub moqt://127.0.0.1:4433 -t b", 64, "--namespace"),
        BadInput("sub moqt://127.0.0.1:4433 -n a", 64, "--track"),
        BadInput("sub moqt://127.0.0.1:4433 -n / -t b", 64, "--namespace"),
        BadInput("sub moqt://127.0.0.1:4433 \(track) --wait soon", 64, "--wait", "soon"),
        BadInput("sub moqt://127.0.0.1:4433 \(track) --fingerprint abc", 64, "--fingerprint", "abc"),
        BadInput("sub moqt://127.0.0.1:4433 \(track) --insecure --ca x", 64, "--insecure", "--ca"),
        BadInput("pub \(track) --input x", 64, "--listen"),
        BadInput("pub moqt://127.0.0.1:4433 --listen 127.0.0.1:0 \(track) --input x", 64, "--listen"),
        BadInput("pub moqt://127.0.0.1:4433 \(track)", 64, "--input"),
        BadInput("pub moqt://127.0.0.1:4433 \(track) --input x --object-size 0", 64, "--object-size"),
        BadInput(
            "pub moqt://127.0.0.1:4433 \(track) --input x --datagrams --object-size 5000",
            64,
            "--object-size",
            "datagram"
        ),
        BadInput("pub moqt://127.0.0.1:4433 \(track) --input x --rate 0", 64, "--rate"),
        BadInput("pub moqt://127.0.0.1:4433 \(track) --input x --group-size 0", 64, "--group-size"),
        BadInput("clock moqt://127.0.0.1:4433 \(track) --interval 0", 64, "--interval"),
        BadInput("test-origin", 64, "--listen"),
        BadInput("test-client moqt://127.0.0.1:4433", 64, "--namespace", "--suite"),
        BadInput("test-client moqt://127.0.0.1:4433 --suite -n moq-test-00", 64, "--namespace", "--suite"),
        BadInput("test-client moqt://127.0.0.1:4433 --namespace moq-test-00/7", 64, "--namespace", "field 1"),
        BadInput("test-client moqt://127.0.0.1:4433 -n moq-test-00", 64, "no end", "--duration"),
        BadInput("test-client moqt://127.0.0.1:4433 -n moq-test-00 --fetch", 64, "no end", "--through"),
        BadInput("test-client moqt://127.0.0.1:4433 -n moq-test-00 --through 1:0", 64, "--fetch"),
        BadInput("test-client moqt://127.0.0.1:4433 -n moq-test-00 --fetch --through 1", 64, "--through", "'1'"),
        BadInput("interop-client -r moqt://127.0.0.1:1 -t dance", 127, "dance", "--list"),
        BadInput("interop-client -r https://127.0.0.1:1", 127, "https://"),
        BadInput("interop-client -r ftp://127.0.0.1:1", 64, "ftp://"),
        BadInput("decode --kind control 00", 64, "--draft"),
        BadInput("decode --draft 15 --kind control 00", 64, "--draft", "15", "18, 16, 14"),
        BadInput("decode --draft 18 00", 64, "--kind"),
        BadInput("decode --draft 18 --kind packet 00", 64, "--kind", "packet"),
        BadInput("decode --draft 18 --kind request --answers HELLO 00", 64, "--answers", "HELLO"),
        BadInput("decode --draft 18 --kind uni --group-order random 00", 64, "--group-order", "random"),
        BadInput("decode --draft 18 --kind varint 0", 64, "'0'", "hexadecimal"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --cache-size=-1", 64, "--cache-size"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --cache-size 1048577", 64, "--cache-size"),
        BadInput("fetch moqt://127.0.0.1:4433 -n a", 64, "--track"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --from 1/x", 64, "--from", "1/x"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --from 3 --to 2", 64, "--to", "--from"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --join 1 --join-from 2", 64, "--join", "--join-from"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --join 1 --to 2", 64, "--join", "--to"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --follow", 64, "--follow", "--join"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --join 1 --duration 2", 64, "--duration", "--follow"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --join 1 --follow --order descending", 64, "--order"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --order random", 64, "--order", "random"),
        BadInput("fetch moqt://127.0.0.1:4433 \(track) --priority 256", 64, "--priority", "256"),
        BadInput("status moqt://127.0.0.1:4433 -n a", 64, "--track"),
        BadInput("probe", 64, "url"),
        BadInput("probe moqt://127.0.0.1:4433 --drafts 99", 64, "--drafts", "99"),
        BadInput(
            "namespaces moqt://127.0.0.1:4433 a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6/7",
            64,
            "32"
        ),
        BadInput("namespaces moqt://127.0.0.1:4433 a --duration soon", 64, "--duration", "soon"),
        BadInput("bench wake --count 0", 64, "--count"),
        BadInput("bench timers --count 0", 64, "--count"),
        BadInput("bench throughput --duration 0", 64, "--duration", "86400"),
        BadInput("bench throughput --warm-up 3601", 64, "--warm-up", "3600"),
        BadInput("bench throughput --size 23", 64, "--size", "24"),
        BadInput("bench throughput --size 5000 --datagrams", 64, "--size", "datagram"),
        BadInput("bench throughput --datagrams --subgroups 2 --size 100", 64, "--datagrams", "--subgroups"),
        BadInput("bench throughput --group-size 0", 64, "--group-size"),
        BadInput("bench throughput --group-size 2 --subgroups 3", 64, "--subgroups", "--group-size"),
        BadInput("bench throughput moqt://127.0.0.1:4433 --bare", 64, "--bare", "url"),
        BadInput("bench throughput --size 100 --bare --datagrams", 64, "--bare", "--datagrams"),
        BadInput("bench latency --subscriber-loop kqueue", 64, "kqueue", "picoquic"),
        BadInput("bench throughput --relay-pid 1", 64, "--relay-pid", "URL"),
        BadInput("bench throughput moqt://127.0.0.1:4433 --relay-pid 0", 64, "--relay-pid"),
        BadInput("bench latency --rate 0", 64, "--rate", "1000000"),
        BadInput("bench latency --loop warp", 64, "--loop", "warp", "epoll"),
        BadInput("bench fanout --subscribers 8001", 64, "--subscribers", "8000"),
        BadInput("bench fanout --ramp 0", 64, "--ramp"),
        BadInput("bench slow --share 1", 64, "--share"),
        BadInput("bench slow --subscribers 1", 64, "--subscribers"),
        BadInput("bench slow --datagrams --size 100", 64, "--datagrams"),
        BadInput("bench churn moqt://127.0.0.1:4433 --at-once 0", 64, "--at-once", "1000"),
        BadInput("bench churn moqt://127.0.0.1:4433 -n a", 64, "--namespace", "--track"),
        BadInput("bench churn moqt://127.0.0.1:4433 \(track) --subscriptions 2", 64, "--track", "--subscriptions"),
        BadInput("bench idle moqt://127.0.0.1:4433", 64, "--relay-pid"),
        BadInput("bench idle moqt://127.0.0.1:4433 --relay-pid 1 --sessions 0", 64, "--sessions", "8000"),
    ]

    @Test("A command line that makes no sense ends with status 64", arguments: senseless)
    func usage(_ example: BadInput) async throws {
        try await self.check(example)
    }

    static let impossible: [BadInput] = [
        BadInput("pub moqt://127.0.0.1:4433 \(track) --input /nowhere/file", 1, "/nowhere/file", "no such file"),
        BadInput("pub moqt://127.0.0.1:4433 \(track) --input /", 1, "--input '/'", "directory"),
        BadInput("sub moqt://127.0.0.1:4433 --insecure \(track) --output /nowhere/file", 1, "/nowhere/file"),
        BadInput("sub moqt://127.0.0.1:4433 --ca /nowhere/ca.pem \(track)", 1, "/nowhere/ca.pem"),
        BadInput("relay --listen 127.0.0.1:0 --cert /nowhere/c.pem --key /nowhere/k.pem", 1, "/nowhere/c.pem"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --keylog /nowhere/keys", 1, "/nowhere/keys"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --qlog-dir /nowhere/qlog", 1, "/nowhere/qlog"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --secrets /nowhere/secrets", 1, "/nowhere/secrets"),
        BadInput("relay --listen 127.0.0.1:0 --self-signed --secrets /etc/passwd", 1, "--secrets", "/etc/passwd"),
        BadInput("relay --listen 192.0.2.1:0 --self-signed", 1, "192.0.2.1"),
        BadInput("relay --listen host.invalid:0 --self-signed", 1, "--listen", "cannot find", "host.invalid"),
        BadInput("sub moqt://host.invalid:4433 --insecure \(track)", 1, "host.invalid"),
        BadInput("sub moqt://127.0.0.1:9 --insecure \(track)", 1, "127.0.0.1:9"),
        BadInput("pub moqt://127.0.0.1:9 --insecure \(track) --input /dev/null", 1, "127.0.0.1:9"),
        BadInput("fetch moqt://127.0.0.1:9 --insecure \(track)", 1, "127.0.0.1:9"),
        BadInput("fetch moqt://127.0.0.1:9 --insecure \(track) --output /nowhere/file", 1, "/nowhere/file"),
        BadInput("status moqt://127.0.0.1:9 --insecure \(track)", 1, "127.0.0.1:9"),
        BadInput("probe moqt://127.0.0.1:9 --insecure", 1, "127.0.0.1:9"),
        BadInput("bench throughput moqt://127.0.0.1:9 --insecure", 1, "127.0.0.1:9"),
        BadInput("bench churn moqt://127.0.0.1:9 --insecure", 1, "127.0.0.1:9"),
        BadInput("bench idle moqt://127.0.0.1:9 --insecure --relay-pid 2147483647", 1, "--relay-pid", "2147483647"),
        BadInput("bench fanout moqt://127.0.0.1:9 --insecure --relay-pid 2147483647", 1, "--relay-pid", "2147483647"),
        BadInput("namespaces moqt://127.0.0.1:9 --insecure", 1, "127.0.0.1:9"),
    ]

    @Test("What cannot be done ends with status 1", arguments: impossible)
    func failures(_ example: BadInput) async throws {
        try await self.check(example)
    }

    private func check(_ example: BadInput) async throws {
        let ending = try await ChildProcess(example.arguments, input: Data()).ending(within: 15)
        #expect(ending.status == example.status)
        #expect(ending.output.isEmpty)
        #expect(ending.complaintLines.count == 1, "\(ending.complaints)")
        #expect(ending.complaints.hasPrefix("moq: "))
        for name in example.names {
            #expect(ending.complaints.contains(name), "\(ending.complaints)")
        }
        #expect(ending.seconds < 5 * TestBuild.patience)
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
                BadInput(arguments: listen + ["--cert", first.certificate, "--key", second.key], 1, second.key)
            )
            try await self.check(BadInput(arguments: listen + ["--cert", garbage, "--key", first.key], 1, garbage))
            try await self.check(
                BadInput(arguments: listen + ["--cert", first.certificate, "--key", garbage], 1, garbage)
            )
        }
    }

    @Test("A port in use is named")
    func portInUse() async throws {
        let relay = try await RunningRelay()
        try await self.check(BadInput("relay --listen \(relay.authority) --self-signed", 1, relay.authority))
        try await relay.stop()
    }

    @Test("A relay without a common draft is named, with the drafts")
    func noCommonDraft() async throws {
        let relay = try await RunningRelay("--drafts", "18")
        try await self.check(
            BadInput("sub \(relay.url) --insecure --drafts 16 \(Self.track)", 1, relay.authority, "16")
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
                try await self.check(
                    BadInput("sub \(relay.url) \(trust) \(Self.track)", 1, relay.authority, "certificate")
                )
            }
            try await relay.stop()
        }
    }

    @Test("A track that does not exist is named, and no output file is left")
    func noTrack() async throws {
        try await TemporaryDirectory.use { directory in
            let relay = try await RunningRelay()
            let output = "--output \(directory)/file"
            try await self.check(
                BadInput("sub \(relay.url) --insecure -n no/such -t thing \(output)", 1, "no/such/thing")
            )
            try await self.check(
                BadInput("sub \(relay.url) --insecure -n no/such -t thing \(output) --wait 1", 1, "no/such/thing")
            )
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
            try await relay.stop()
        }
    }
}
