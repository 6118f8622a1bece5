// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import PacketLoop
import Testing

@testable import PicoQuic

@Suite("Handles and unknown events")
struct HandleTests {
    /// Something that is not nil and that nobody may follow.
    private func nowhere() throws -> OpaquePointer {
        try unsafe #require(OpaquePointer(bitPattern: 4_096))
    }

    @Test("A handle survives C, and a pointer is never taken for one")
    func roundTrip() throws {
        for index in [0, 1, 77, 0x7fff_ffff] {
            for generation in [UInt32(1), 2, .max] {
                let handle = ConnectionHandle(index: index, generation: generation)
                #expect(unsafe ConnectionHandle(handle.pointer) == handle)
            }
        }
        #expect(unsafe ConnectionHandle(nil) == nil)
        let context = try QUICContext.bare()
        defer { context.free() }
        #expect(unsafe ConnectionHandle(Unmanaged.passUnretained(context).toOpaque()) == nil)
    }

    @Test("A handle that outlived its connection finds nothing, and a million comings and goings leave nothing")
    func generations() throws {
        let context = try QUICContext.bare()
        defer { context.free() }
        let cnx = try unsafe self.nowhere()
        var table = ConnectionTable()
        var stale: [ConnectionHandle] = []
        func insert() -> QUICConnection {
            let handle = table.reserve()
            let connection = unsafe QUICConnection(role: .server, handle: handle, context: context, cnx: cnx)
            table.fill(handle, with: connection)
            return connection
        }
        let resident = insert()
        for round in 0..<1_000_000 {
            let connection = insert()
            if round % 10_000 == 0 {
                stale.append(connection.handle)
            }
            table.remove(connection.handle)
            table.remove(connection.handle)
        }
        #expect(table.count == 1)
        #expect(table.created == 1_000_001)
        #expect(stale.allSatisfy { table.find($0) == nil })
        #expect(table.find(resident.handle) === resident)
        #expect(Set(stale).count == stale.count)
        // One slot was enough for all of them.
        #expect(stale.allSatisfy { $0.index == 1 })
    }

    @Test("Events without an owner are answered with an error, those of connections that have ended with 0")
    func ownerless() throws {
        let context = try QUICContext.bare()
        // This thread is the loop's for as long as the test lasts.
        context.loop.begin()
        defer { context.loop.end() }
        defer {
            context.deleteAll()
            context.free()
        }
        let address = try #require(SocketAddress(host: "127.0.0.1", port: 9))
        let connection = try context.connect(to: address, name: "x", protocols: ["x"]) { _ in }
        let cnx = try unsafe #require(unsafe connection.cnx)
        let log = EventLog()
        connection.delegate = LoggingDelegate(log: log)
        connection.phase = .established
        func send(_ pointer: UnsafeMutableRawPointer?) -> CInt {
            unsafe picoquicConnectionEvent(cnx, 0, nil, 0, picoquic_callback_stream_released, pointer, nil)
        }
        let unowned = CInt(PICOQUIC_ERROR_UNEXPECTED_ERROR)
        #expect(unowned == 1_051)
        let handle = connection.handle
        #expect(unsafe send(handle.pointer) == 0)
        #expect(log.events == ["released"])
        // Nobody ever had these.
        #expect(send(nil) == unowned)
        #expect(unsafe send(UnsafeMutableRawPointer(bitPattern: 4_096)) == unowned)
        #expect(unsafe send(ConnectionHandle(index: 7, generation: 1).pointer) == unowned)
        let future = ConnectionHandle(index: handle.index, generation: handle.generation + 1)
        #expect(unsafe send(future.pointer) == unowned)
        #expect(unsafe picoquicConnectionEvent(nil, 0, nil, 0, picoquic_callback_ready, handle.pointer, nil) == unowned)
        // And this one has had its time.
        context.deleteAll()
        context.deleteFinishedClients()
        #expect(log.events == ["released", "closed"])
        #expect(context.connections.find(handle) == nil)
        #expect(context.connections.knew(handle))
        #expect(!context.connections.knew(future))
    }

    @Test("Events that nobody knows, and late ones, are answered with 0 and reach nobody")
    func unknownEvents() throws {
        let context = try QUICContext.bare()
        defer { context.free() }
        let cnx = try unsafe self.nowhere()
        let handle = ConnectionHandle(index: 0, generation: 1)
        let log = EventLog()
        let connection = unsafe QUICConnection(role: .server, handle: handle, context: context, cnx: cnx)
        connection.delegate = LoggingDelegate(log: log)
        func send(_ event: picoquic_call_back_event_t) -> CInt {
            unsafe connection.handle(event, cnx: cnx, stream: 3, bytes: nil, count: 0, streamContext: nil)
        }
        connection.phase = .established
        #expect(send(picoquic_callback_stream_gap) == 0)
        #expect(send(picoquic_call_back_event_t(rawValue: 60_000)) == 0)
        #expect(log.events.isEmpty)
        // The end comes once; what comes after it is for nobody.
        for phase in [QUICConnection.Phase.closing, .ended] {
            connection.phase = phase
            #expect(send(picoquic_callback_stream_data) == 0)
            #expect(send(picoquic_callback_datagram) == 0)
            #expect(send(picoquic_callback_ready) == 0)
            #expect(send(picoquic_callback_prepare_to_send) == 0)
        }
        #expect(log.events.isEmpty)
        connection.phase = .established
        #expect(send(picoquic_callback_stream_released) == 0)
        #expect(log.events == ["released"])
    }
}
