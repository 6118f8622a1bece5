// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("The life of a session")
struct SessionMachineTests {
    static let shapes: [ControlShape] = [.singleBidirectional, .pairWithRequestStreams]

    @Test(
        "Everybody speaks first, except the server of a single control stream",
        arguments: shapes,
        [Role.client, .server]
    )
    func start(shape: ControlShape, role: Role) throws {
        var machine = SessionMachine(role: role, shape: shape)
        let waits = role == .server && shape == .singleBidirectional
        var action = machine.start()
        #expect(action == (waits ? .awaitSetup : .sendSetup))
        action = machine.start()
        #expect(action == .nothing)
        let setup = try machine.receivedSetup(SetupOptions())
        #expect(setup.sendSetup == waits)
        let violation = machine.setupTimedOut()
        #expect(violation == nil)
        var closes = [machine.closed(), machine.closed()]
        #expect(closes == [true, false])
        closes = []
    }

    @Test("A second SETUP is a violation, and the timeout one of its own", arguments: shapes)
    func second(shape: ControlShape) throws {
        var machine = SessionMachine(role: .client, shape: shape)
        _ = machine.start()
        let late = machine.setupTimedOut()
        #expect(late?.code == .controlMessageTimeout)
        _ = try machine.receivedSetup(SetupOptions())
        #expect(
            Self.code { () throws(ProtocolViolation) in _ = try machine.receivedSetup(SetupOptions()) }
                == .protocolViolation
        )
    }

    @Test("Where the setup negotiates the version, ours must be there", arguments: [Role.client, .server])
    func version(role: Role) throws {
        for (versions, expected) in [
            ([7], nil), ([5, 7, 1], nil), ([], .versionNegotiationFailed), ([5, 1], .versionNegotiationFailed),
        ] as [([UInt64], SessionErrorCode?)] {
            var machine = SessionMachine(role: role, shape: .singleBidirectional, version: 7)
            _ = machine.start()
            let code = Self.code { () throws(ProtocolViolation) in
                _ = try machine.receivedSetup(SetupOptions(versions: versions))
            }
            #expect(code == expected)
            let state = machine.state
            #expect(state == (expected == nil ? .established : .settingUp))
        }
    }

    @Test("GOAWAY goes out once and comes in once")
    func goaway() throws {
        var machine = SessionMachine(role: .client, shape: .pairWithRequestStreams)
        _ = machine.start()
        var sends = [machine.sendGoaway()]
        _ = try machine.receivedSetup(SetupOptions())
        sends += [machine.sendGoaway(), machine.sendGoaway()]
        #expect(sends == [false, true, false])
        let action = machine.receivedRequest()
        #expect(action == .refuse)
        try machine.receivedGoaway(Goaway(newSessionURI: "moqt://x/", requestID: RequestID(2)))
        let isGoing = machine.hasReceivedGoaway
        #expect(isGoing)
        #expect(
            Self.code { () throws(ProtocolViolation) in try machine.receivedGoaway(Goaway()) } == .protocolViolation
        )
    }

    static func code(_ body: () throws(ProtocolViolation) -> Void) -> SessionErrorCode? {
        do throws(ProtocolViolation) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }
}
