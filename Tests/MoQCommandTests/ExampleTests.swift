// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing

@testable import MoQCommand

/// The programs in Examples/, as processes, through a relay on loopback.
@Suite("Examples", .timeLimit(.minutes(2)))
struct ExampleTests {
    @Test("The clock is heard through a relay")
    func clock() async throws {
        // The publisher ends without a word, and nothing is to be waited for.
        let relay = try await RunningRelay("--drain-timeout", "0.5")
        let publisher = try ChildProcess([relay.url, relay.fingerprint, "publish"], product: "ExampleClock")
        _ = try await publisher.outputLine(after: "publishing ")
        let subscriber = try ChildProcess([relay.url, relay.fingerprint, "subscribe", "2"], product: "ExampleClock")
        let ending = try await subscriber.ending()
        #expect(ending.status == 0, "\(ending.complaints)")
        let times = ending.output.split(separator: "\n").compactMap { try? Date(String($0), strategy: .iso8601) }
        #expect(times.count == 2)
        if times.count == 2 {
            #expect((1...5).contains(times[1].timeIntervalSince(times[0])))
            #expect(abs(times[0].timeIntervalSinceNow) < 60)
        }
        publisher.send(SIGTERM)
        try await relay.stop()
    }

    @Test("Two people in a room read each other, and notice who leaves; next door nothing is heard")
    func chat() async throws {
        let relay = try await RunningRelay()
        func enter(_ room: String, _ name: String) throws -> ChildProcess {
            try ChildProcess([relay.url, relay.fingerprint, room, name], product: "ExampleChat")
        }
        let (alice, bob, carol) = (
            try enter("kitchen", "alice"), try enter("kitchen", "bob"), try enter("hall", "carol")
        )
        _ = try await alice.outputLine(after: "bob is here")
        _ = try await bob.outputLine(after: "alice is here")
        try bob.write("good morning\n")
        #expect(try await alice.outputLine(after: "bob: ") == "good morning")
        alice.endInput(Data("off to work\n".utf8))
        #expect(try await bob.outputLine(after: "alice: ") == "off to work")
        _ = try await bob.outputLine(after: "alice has left")
        let gone = try await alice.ending()
        #expect(gone.status == 0, "\(gone.complaints)")
        for process in [bob, carol] {
            process.endInput(Data())
            let ending = try await process.ending()
            #expect(ending.status == 0, "\(ending.complaints)")
            #expect(process !== carol || ending.output.isEmpty)
        }
        try await relay.stop()
    }

    @Test("A file arrives byte for byte", arguments: [0, 1, 1 << 20, 5_000_001])
    func file(size: Int) async throws {
        try await TemporaryDirectory.use { directory in
            let data = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
            let (source, copy) = (directory + "/source", directory + "/copy")
            try data.write(to: URL(fileURLWithPath: source))
            let relay = try await RunningRelay()
            let connection = [relay.url, relay.fingerprint]
            let sender = try ChildProcess(connection + ["send", "one", source], product: "ExampleFileTransfer")
            _ = try await sender.outputLine(after: "offering ")
            let receiver = try ChildProcess(connection + ["receive", "one", copy], product: "ExampleFileTransfer")
            let received = try await receiver.ending()
            #expect(received.status == 0, "\(received.complaints)")
            #expect(received.output == "received \(size) bytes\n")
            let sent = try await sender.ending()
            #expect(sent.status == 0, "\(sent.complaints)")
            #expect(FileManager.default.contents(atPath: copy) == data)
            try await relay.stop()
        }
    }

    @Test("Bad arguments, and a track that nobody publishes, are told in a line")
    func complaints() async throws {
        let usage = try await ChildProcess(["x"], product: "ExampleClock", input: Data()).ending()
        #expect(usage.status == 64)
        #expect(usage.complaints.hasPrefix("usage: "))
        let relay = try await RunningRelay()
        let arguments = [relay.url, relay.fingerprint, "subscribe"]
        let nobody = try await ChildProcess(arguments, product: "ExampleClock", input: Data()).ending()
        #expect(nobody.status == 1)
        #expect(nobody.complaints.hasPrefix("error: rejected (doesNotExist)"), "\(nobody.complaints)")
        try await relay.stop()
    }
}
