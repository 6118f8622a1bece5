// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import Synchronization
import Testing

@testable import PicoQuic

@Suite("What a loop does for each packet, and how long it sleeps", .tags(.network), .timeLimit(.minutes(2)))
struct BatchTests {
    @Test("While packets arrive and nobody posts, the loop takes no lock")
    func noLockPerPacket() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let first = try await link.send([1], isUnidirectional: true)
        await fixture.serverWitness.wait { $0.finished.contains(first) }
        let loop = fixture.server.loop
        let before = loop.counters
        let bytes = [UInt8](repeating: 1, count: 3_000_000)
        let stream = try await link.send(bytes, isUnidirectional: true)
        await fixture.serverWitness.wait { $0.finished.contains(stream) }
        let after = loop.counters
        let packets = try await link.run { connection, _ in connection.statistics.packetsSent }
        #expect(packets > 1_000)
        #expect(after.turns > before.turns)
        #expect(after.inboxDrains == before.inboxDrains)
        #expect(after.wakes == before.wakes)
        await fixture.stop()
    }

    @Test("While others post, the loop takes a lock for a wake, not for a packet")
    func locksBoundedByWakes() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let loop = fixture.server.loop
        let ran = Atomic<Int>(0)
        let shouldStop = Atomic<Bool>(false)
        let threads = DispatchGroup()
        for _ in 0..<2 {
            threads.enter()
            Thread.detachNewThread {
                while !shouldStop.load(ordering: .relaxed) {
                    for _ in 0..<100 {
                        loop.post { ran.add(1, ordering: .relaxed) }
                    }
                    // Lets the queue run dry, so that there are many wakes.
                    while loop.counters.queuedJobs > 0 {
                        sched_yield()
                    }
                }
                threads.leave()
            }
        }
        let stream = try await link.send([UInt8](repeating: 1, count: 1_000_000), isUnidirectional: true)
        await fixture.serverWitness.wait { $0.finished.contains(stream) }
        shouldStop.store(true, ordering: .relaxed)
        await withCheckedContinuation { continuation in
            threads.notify(queue: .global()) { continuation.resume() }
        }
        await fixture.stop()
        let counters = loop.counters
        #expect(ran.load(ordering: .relaxed) > 0)
        #expect(counters.wakes > 0)
        #expect(counters.inboxDrains <= counters.wakes + 1)
        #expect(counters.inboxDrains < counters.posts)
    }

    @Test("The loop sleeps until its next timer to the microsecond, not at all for work, and never longer than its cap")
    func wait() {
        let loop = ManualLoopDriver.makeLoop()
        let driver = ManualLoopDriver(loop: loop)
        let now = driver.now
        func wait(atMost library: Int64, after microseconds: UInt64 = 0) -> Int64 {
            let moment = LoopInstant(microseconds: now.microseconds + microseconds)
            return NetworkDriver.wait(of: loop, from: moment, atMost: library)
        }
        #expect(wait(atMost: 10_000_000) == 200_000)
        #expect(wait(atMost: 77) == 77)
        #expect(wait(atMost: -1) <= 0)
        let later = loop.schedule(at: now.advanced(by: .microseconds(301))) {}
        loop.schedule(at: now.advanced(by: .seconds(5))) {}
        #expect(wait(atMost: 10_000_000) == 301)
        #expect(wait(atMost: 300) == 300)
        #expect(wait(atMost: 10_000_000, after: 300) == 1)
        #expect(wait(atMost: 10_000_000, after: 301) == 0)
        #expect(wait(atMost: 10_000_000, after: 900) == 0)
        later.cancel()
        #expect(wait(atMost: 10_000_000) == 200_000)
        #expect(wait(atMost: 10_000_000, after: 4_999_999) == 1)
        loop.post {}
        #expect(wait(atMost: 10_000_000) == 0)
        driver.runUntilIdle()
        #expect(wait(atMost: 10_000_000) == 200_000)
        driver.stop()
    }

    @Test("A short timer on an idle endpoint is never early, and does not wait for the loop's longest sleep")
    func shortTimers() async throws {
        let endpoint = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        try await endpoint.start(on: .loopback(port: 0))
        let loop = endpoint.loop
        let rounds = 200
        let start = ContinuousClock.now
        for _ in 0..<rounds {
            let early = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                loop.post {
                    let start = loop.now
                    loop.schedule(after: .microseconds(300)) {
                        continuation.resume(returning: start.duration(to: loop.now) < .microseconds(300))
                    }
                }
            }
            #expect(!early)
        }
        // With the loop's longest sleep for each it would be forty seconds.
        #expect(ContinuousClock.now - start < .seconds(10))
        await endpoint.stop()
    }
}
