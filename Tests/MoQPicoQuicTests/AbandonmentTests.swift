// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import PicoQuic
import Synchronization
import Testing

@Suite("What is dropped while it is open", .tags(.network), .timeLimit(.minutes(1)))
struct AbandonmentTests {
    #if DEBUG
    @Test("A client that nobody closed stops a debug build, and says why")
    func clientTraps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let stage = try await Stage()
            do {
                let client = try await stage.connect(journal: Journal())
                #expect(client.draft == .draft18)
            }
            // Not reached.
            await stage.server.stop()
        }
        let words = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(words.contains("close() it before"))
    }

    @Test("An endpoint that nobody stopped stops a debug build, and says which")
    func endpointTraps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let configuration = QUICConfiguration(applicationProtocols: ["x"])
            var endpoint: PicoQuicExecutor? = PicoQuicExecutor(label: "forgotten", configuration: configuration)
            try await endpoint?.start(on: .loopback(port: 0))
            endpoint = nil
        }
        let words = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(words.contains("'forgotten'"))
    }
    #endif

    @Test("A client that nobody closed closes itself: the server is told, the thread ends, and it is counted")
    func client() async {
        await #expect(processExitsWith: .success) {
            Abandonment.isFatal.store(false, ordering: .relaxed)
            for (index, backend) in Backend.allCases.enumerated() {
                let stage = try await Stage(backend: backend)
                do {
                    let client = try await stage.connect(journal: Journal())
                    await stage.atServer.wait { $0.setups == 1 }
                    #expect(client.draft == .draft18)
                }
                await stage.atServer.wait { $0.closures.count == 1 }
                #expect(stage.atServer.facts.closures.first?.isClean == true)
                #expect(PicoQuicExecutor.abandonedCount == index + 1)
                LoopThreads.waitForEnd(of: "moq-client")
                await stage.server.stop()
            }
            #expect(PicoQuicExecutor.abandonedCount == Backend.allCases.count)
        }
    }

    @Test("A server that nobody stopped stops itself: its clients are told, its threads end, and each is counted")
    func server() async {
        await #expect(processExitsWith: .success) {
            Abandonment.isFatal.store(false, ordering: .relaxed)
            let journal = Journal()
            let client: MoQPicoQuicClient
            do {
                let stage = try await Stage(label: "lost", shards: 2)
                client = try await stage.connect(journal: journal)
                await stage.atServer.wait { $0.setups == 1 }
                #expect(LoopThreads.named("lost").count == 2)
            }
            await journal.wait { $0.closures.count == 1 }
            #expect(journal.facts.closures.first?.origin == .peer)
            LoopThreads.waitForEnd(of: "lost")
            #expect(PicoQuicExecutor.abandonedCount == 2)
            await client.close()
        }
    }

    @Test("What was closed may be dropped, and so may what never ran")
    func inOrder() async {
        await #expect(processExitsWith: .success) {
            do {
                let stage = try await Stage()
                let client = try await stage.connect(journal: Journal())
                await client.close()
                await stage.server.stop()
                let idle = MoQPicoQuicServer(configuration: stage.configuration()) { _ in { _, _ in nil } }
                #expect(idle.loops.count == 1)
            }
            #expect(PicoQuicExecutor.abandonedCount == 0)
        }
    }
}
