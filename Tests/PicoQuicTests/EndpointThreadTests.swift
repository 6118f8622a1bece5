// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic
import Synchronization
import Testing

/// An actor pinned to an endpoint's loop.
private actor Pinned {
    let loop: PacketLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    init(loop: PacketLoop) {
        self.loop = loop
    }

    func thread() -> ObjectIdentifier {
        ObjectIdentifier(Thread.current)
    }
}

@Suite("An endpoint's thread", .tags(.network), .timeLimit(.minutes(2)))
struct EndpointThreadTests {
    @Test("Callbacks, posted work, timers, actors and tasks of an endpoint share its one thread")
    func oneThread() async throws {
        let fixture = try await Fixture()
        let loop = fixture.client.loop
        let log = EventLog()
        let callbackThreads = Locked<Set<ObjectIdentifier>>([])
        let connection = try await fixture.client.connect(to: "127.0.0.1", port: fixture.address.port) { _ in
            LoggingDelegate(log: log) { event, connection, delegate in
                _ = callbackThreads.withLock { $0.insert(ObjectIdentifier(Thread.current)) }
                if event == "ready" {
                    try? delegate.send([1, 2, 3], on: connection)
                }
            }
        }
        await log.wait { $0.contains("released") }
        let posted = try await loop.run { ObjectIdentifier(Thread.current) }
        let timer = await withCheckedContinuation { (continuation: CheckedContinuation<ObjectIdentifier, Never>) in
            loop.post {
                loop.schedule(after: .milliseconds(1)) {
                    continuation.resume(returning: ObjectIdentifier(Thread.current))
                }
            }
        }
        let actor = Pinned(loop: loop)
        let called = await actor.thread()
        let tasked = await Task(executorPreference: loop.tasks) {
            func here() -> ObjectIdentifier { ObjectIdentifier(Thread.current) }
            _ = await actor.thread()
            return here()
        }.value
        #expect(callbackThreads.withLock { $0 } == [posted])
        #expect(timer == posted)
        #expect(called == posted)
        #expect(tasked == posted)
        let other = try await fixture.server.loop.run { ObjectIdentifier(Thread.current) }
        #expect(other != posted)
        try await loop.run { connection.value.close(code: 0) }
        await fixture.stop()
    }

    @Test("What a task or a timer writes leaves at once")
    func writesLeave() async throws {
        let fixture = try await Fixture()
        let link = try await fixture.connect()
        let loop = link.loop
        let start = ContinuousClock.now
        for _ in 0..<40 {
            let byTask = try await link.send([1])
            await link.witness.wait { $0.finished.contains(byTask) }
            let byTimer = await withCheckedContinuation { (continuation: CheckedContinuation<UInt64?, Never>) in
                loop.post {
                    loop.schedule(after: .microseconds(200)) {
                        let connection = link.connection.value
                        let delegate = connection.delegate as? EchoDelegate
                        let stream = try? connection.openStream(isUnidirectional: false, token: 1_000_000)
                        if let delegate, let stream {
                            delegate.send([2], isFinished: true, stream: stream, on: connection)
                        }
                        continuation.resume(returning: stream)
                    }
                }
            }
            let stream = try #require(byTimer)
            await link.witness.wait { $0.finished.contains(stream) }
        }
        // Eighty sleeps of the loop's longest would be sixteen seconds.
        #expect(ContinuousClock.now - start < .seconds(5))
        await fixture.stop()
    }

    @Test("Work that keeps posting itself does not starve packets")
    func busyLoop() async throws {
        final class Chain: Sendable {
            let count = Atomic<Int>(0)
            let shouldStop = Atomic<Bool>(false)
            func step(_ loop: PacketLoop) {
                self.count.add(1, ordering: .relaxed)
                if !self.shouldStop.load(ordering: .relaxed) {
                    loop.post { self.step(loop) }
                }
            }
        }
        let fixture = try await Fixture()
        let chain = Chain()
        let loop = fixture.server.loop
        loop.post { chain.step(loop) }
        let link = try await fixture.connect()
        for _ in 0..<20 {
            let stream = try await link.send([UInt8](repeating: 1, count: 10_000))
            await link.witness.wait { $0.finished.contains(stream) }
        }
        while chain.count.load(ordering: .relaxed) < 1_000_000 {
            let stream = try await link.send([1])
            await link.witness.wait { $0.finished.contains(stream) }
        }
        chain.shouldStop.store(true, ordering: .relaxed)
        await fixture.stop()
    }

    @Test("Loops run on the monotonic clock, in microseconds")
    func clock() async throws {
        func monotonic() -> UInt64 {
            var now = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &now)
            return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1_000
        }
        let endpoint = PicoQuicExecutor(configuration: QUICConfiguration(applicationProtocols: ["x"]))
        try await endpoint.start(on: .loopback(port: 0))
        for loop in [PacketLoop(label: "plain"), endpoint.loop] {
            let before = monotonic()
            let now = loop.now.microseconds
            #expect(now >= before)
            #expect(now <= monotonic())
        }
        let before = monotonic()
        let onLoop = try await endpoint.loop.run { endpoint.loop.now.microseconds }
        #expect(onLoop + 1_000_000 >= before && onLoop <= monotonic())
        await endpoint.stop()
    }
}
