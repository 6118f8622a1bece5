// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import Foundation
import PacketLoop
import Testing

@testable import PicoQuic

/// Where and how often the library's contexts were freed.
private let frees = Locked<[UInt]>([])

/// The library frees what verifies certificates together with its context.
@c
private func noteFree(_ verifier: OpaquePointer?) {
    frees.withLock { $0.append(ContextLifeTests.threadNumber) }
}

@Suite("The life of the library's context", .tags(.network), .timeLimit(.minutes(1)), .serialized)
struct ContextLifeTests {
    /// Tells threads apart.
    static var threadNumber: UInt {
        UInt(bitPattern: ObjectIdentifier(Thread.current))
    }

    private func driver(_ loop: PacketLoop, port: UInt16 = 0) throws -> NetworkDriver {
        var configuration = QUICConfiguration(applicationProtocols: ["x"])
        configuration.credentials = .selfSigned(try SelfSignedCertificate())
        let context = try QUICContext(configuration: configuration, loop: loop, acceptor: nil)
        let raw = try unsafe #require(unsafe context.raw)
        let verifier = unsafe OpaquePointer(bitPattern: 4_096)
        unsafe picoquic_set_verify_certificate_callback(raw, verifier, noteFree)
        let plan = try SocketPlan(address: .loopback(port: port), bufferSize: 0)
        return NetworkDriver(loop: loop, context: context, parameters: plan.parameters)
    }

    @Test("A context is freed once, on its own thread, after the loop has ended")
    func ownThread() async throws {
        let loop = PacketLoop(label: "context", clock: { picoquic_current_time() })
        let driver = try self.driver(loop)
        frees.withLock { $0 = [] }
        _ = try await driver.start()
        let thread = try await loop.run { Self.threadNumber }
        #expect(frees.withLock { $0 }.isEmpty)
        loop.post { driver.end() }
        await driver.waitForEnd()
        driver.join()
        driver.context.free()
        #expect(frees.withLock { $0 } == [thread])
        #expect(unsafe driver.context.raw == nil)
    }

    @Test("A connection keeps its callback for as long as the library has it, however it ends")
    func callbacksStay() throws {
        let context = try QUICContext.bare()
        // This thread is the loop's for as long as the test lasts.
        context.loop.begin()
        defer { context.loop.end() }
        defer {
            context.deleteAll()
            context.free()
        }
        let address = try #require(SocketAddress(host: "127.0.0.1", port: 9))
        for isClosedByPeer in [true, false] {
            let connection = try context.connect(to: address, name: "x", protocols: ["x"]) { _ in }
            let cnx = try unsafe #require(unsafe connection.cnx)
            let log = EventLog()
            connection.delegate = LoggingDelegate(log: log) { event, connection, _ in
                if event == "closed" {
                    #expect(unsafe picoquic_get_callback_function(cnx) != nil)
                }
            }
            if isClosedByPeer {
                let handle = unsafe connection.handle.pointer
                _ = unsafe picoquicConnectionEvent(cnx, 0, nil, 0, picoquic_callback_application_close, handle, nil)
            } else {
                connection.close(code: 1)
            }
            #expect(unsafe picoquic_get_callback_function(cnx) != nil)
            _ = unsafe picoquicConnectionEvent(
                cnx,
                0,
                nil,
                0,
                picoquic_callback_close,
                connection.handle.pointer,
                nil
            )
            #expect(log.events == ["closed"])
            #expect(unsafe picoquic_get_callback_function(cnx) != nil)
            context.deleteFinishedClients()
        }
    }

    @Test("No source sets a connection's callback twice, or to nothing")
    func sources() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
        var calls: [Substring] = []
        for case let file as URL in files where ["swift", "c", "h"].contains(file.pathExtension) {
            let text = try String(contentsOf: file, encoding: .utf8)
            calls += text.matches(of: #/picoquic_set_callback\(.*/#).map(\.output)
        }
        #expect(calls == ["picoquic_set_callback(cnx, picoquicConnectionEvent, connection.handle.pointer)"])
    }
}
