// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import PacketLoop
import Testing

@testable import PicoQuic

/// A client that sends frames it must not send. The frames are written here byte by byte and handed to the library, which
/// puts them into packets unread.
@Suite("Peers that break the rules of QUIC, over loopback sockets", .tags(.network), .timeLimit(.minutes(1)))
struct BrokenRuleTests {
    /// One way to break a rule, and the error it is answered with (RFC 9000 section 20.1).
    struct Offence: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var frames: [[UInt8]]
        var error: UInt64
    }

    private static let streamWindow: UInt64 = 8_000
    private static let connectionWindow: UInt64 = 12_000
    private static let streamLimit: UInt64 = 4

    static let offences: [Offence] = [
        Offence(
            testDescription: "more unidirectional streams than allowed",
            frames: [Self.stream(4 * Self.streamLimit + 2, offset: 0, [1])],
            error: 0x4
        ),
        Offence(
            testDescription: "more bidirectional streams than allowed",
            frames: [Self.stream(4 * Self.streamLimit, offset: 0, [1])],
            error: 0x4
        ),
        Offence(
            testDescription: "more than the stream's window",
            frames: [Self.stream(2, offset: Self.streamWindow, [1])],
            error: 0x3
        ),
        Offence(
            testDescription: "more than the connection's window",
            frames: [
                Self.stream(2, offset: Self.streamWindow - 1, [1]), Self.stream(6, offset: Self.streamWindow - 1, [1]),
            ],
            error: 0x3
        ),
        Offence(
            testDescription: "a reset beyond the connection's window",
            frames: [Self.frame([0x04, 2, 0, 1 << 40])],
            error: 0x3
        ),
        // The RFC asks for FRAME_ENCODING_ERROR; the library says PROTOCOL_VIOLATION.
        Offence(testDescription: "a frame of an unknown type", frames: [Self.frame([0x2f7e])], error: 0xa),
        Offence(testDescription: "a frame that is cut off", frames: [[0x0a, 2, 0x7e, 0x80, 1]], error: 0x7),
        Offence(
            testDescription: "data after the end",
            frames: [Self.stream(2, offset: 10, [1, 2], isFinished: true), Self.stream(2, offset: 12, [3])],
            error: 0x6
        ),
        Offence(
            testDescription: "two ends",
            frames: [
                Self.stream(2, offset: 10, [1, 2], isFinished: true), Self.stream(2, offset: 3, [1], isFinished: true),
            ],
            error: 0x6
        ),
        Offence(
            testDescription: "a reset with another size than the end",
            frames: [Self.stream(0, offset: 5, [1], isFinished: true), Self.frame([0x04, 0, 0, 4])],
            error: 0x6
        ),
        Offence(
            // The RFC asks for STREAM_STATE_ERROR; for a stream that is not open yet the library says STREAM_LIMIT_ERROR.
            testDescription: "data on a stream that only the server opens",
            frames: [Self.stream(3, offset: 0, [1])],
            error: 0x4
        ),
        Offence(testDescription: "a reset of such a stream", frames: [Self.frame([0x04, 3, 0, 0])], error: 0x5),
        Offence(
            testDescription: "a stop of a stream that only the client sends on",
            frames: [Self.frame([0x05, 2, 0])],
            error: 0x5
        ),
        Offence(
            testDescription: "a window for a stream that only the client sends on",
            frames: [Self.frame([0x11, 2, 1 << 20])],
            error: 0x5
        ),
        Offence(testDescription: "HANDSHAKE_DONE from a client", frames: [Self.frame([0x1e])], error: 0xa),
        Offence(testDescription: "a token from a client", frames: [[0x07, 1, 1]], error: 0xa),
    ]

    /// The shortest form of a number (RFC 9000 section 16).
    private static func varint(_ value: UInt64) -> [UInt8] {
        let length = value < 1 << 6 ? 1 : value < 1 << 14 ? 2 : value < 1 << 30 ? 4 : 8
        let prefix = UInt64(length.trailingZeroBitCount) << (8 * UInt64(length) - 2)
        return (0..<length).reversed().map { UInt8(truncatingIfNeeded: (value | prefix) >> (8 * UInt64($0))) }
    }

    private static func frame(_ fields: [UInt64]) -> [UInt8] {
        fields.flatMap { Self.varint($0) }
    }

    private static func stream(_ id: UInt64, offset: UInt64, _ data: [UInt8], isFinished: Bool = false) -> [UInt8] {
        Self.frame([isFinished ? 0x0f : 0x0e, id, offset, UInt64(data.count)]) + data
    }

    private func fixture(_ flowControl: QUICConfiguration.FlowControl) async throws -> Fixture {
        try await Fixture(adjust: { configuration in
            guard configuration.credentials != nil else {
                return
            }
            configuration.flowControl = flowControl
            configuration.streamReceiveWindow = Self.streamWindow
            configuration.connectionReceiveWindow = Self.connectionWindow
            configuration.maximumIncomingBidirectionalStreams = Self.streamLimit
            configuration.maximumIncomingUnidirectionalStreams = Self.streamLimit
        })
    }

    @Test(
        "The connection ends with the right error on both sides, and the others go on",
        arguments: Self.offences,
        [QUICConfiguration.FlowControl.automatic, .application]
    )
    func offend(_ offence: Offence, flowControl: QUICConfiguration.FlowControl) async throws {
        let fixture = try await self.fixture(flowControl)
        let bystander = try await fixture.connect()
        let before = try await bystander.send([1])
        await bystander.witness.wait { $0.finished.contains(before) }
        let offender = try await fixture.connect()
        await offender.witness.wait { $0.isReady }
        try await offender.run { connection, _ in
            let cnx = try unsafe #require(unsafe connection.cnx)
            for frame in offence.frames {
                let isTaken = unsafe picoquic_queue_misc_frame(
                    cnx,
                    frame,
                    frame.count,
                    0,
                    picoquic_packet_context_application
                )
                try #require(isTaken == 0)
            }
        }
        await offender.witness.wait { !$0.closes.isEmpty }
        await fixture.serverWitness.wait { !$0.closes.isEmpty }
        let atClient = offender.witness.state.closes
        #expect(atClient.map(\.kind) == [.peerTransport])
        #expect(atClient.first?.code == offence.error)
        let atServer = fixture.serverWitness.state.closes
        #expect(atServer.map(\.kind) == [.localTransport])
        #expect(atServer.first?.code == offence.error)

        let after = try await bystander.send([2])
        await bystander.witness.wait { $0.finished.contains(after) }
        #expect(bystander.witness.state.closes.isEmpty)
        await fixture.stop()
    }

    @Test("An event whose owner is lost ends that connection with INTERNAL_ERROR, and no other")
    func lostOwner() async throws {
        let fixture = try await self.fixture(.automatic)
        let bystander = try await fixture.connect()
        let victim = try await fixture.connect()
        await victim.witness.wait { $0.isReady }
        try await fixture.eventually("the server never accepted the second connection") {
            let accepted = fixture.accepted
            return try await fixture.server.loop.run { accepted.connections.count == 2 }
        }
        try await fixture.atServer { connection in
            let cnx = try unsafe #require(unsafe connection.cnx)
            unsafe picoquic_set_callback(cnx, losingConnectionEvent, connection.handle.pointer)
        }
        _ = try await victim.send([1])
        await victim.witness.wait { !$0.closes.isEmpty }
        #expect(victim.witness.state.closes.map(\.kind) == [.peerTransport])
        #expect(victim.witness.state.closes.first?.code == 0x1)
        await fixture.serverWitness.wait { !$0.closes.isEmpty }
        #expect(fixture.serverWitness.state.closes.map(\.kind) == [.localTransport])
        let stream = try await bystander.send([2])
        await bystander.witness.wait { $0.finished.contains(stream) }
        await fixture.stop()
    }
}

/// Passes events on, those of data with a context that nobody has.
@c
private func losingConnectionEvent(
    _ cnx: OpaquePointer?,
    _ stream: UInt64,
    _ bytes: UnsafeMutablePointer<UInt8>?,
    _ count: Int,
    _ event: picoquic_call_back_event_t,
    _ callbackContext: UnsafeMutableRawPointer?,
    _ streamContext: UnsafeMutableRawPointer?
) -> CInt {
    let isData = event == picoquic_callback_stream_data || event == picoquic_callback_stream_fin
    let context = isData ? unsafe ConnectionHandle(index: 9_999, generation: 1).pointer : unsafe callbackContext
    return unsafe picoquicConnectionEvent(cnx, stream, bytes, count, event, context, streamContext)
}
