// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import Testing
import WebTransportInMemory

@Suite("Paths and authorities in SETUP", .timeLimit(.minutes(1)))
struct SetupTargetTests {
    /// What a client says, and what it is told for that; nil when nothing is wrong.
    struct Case: Sendable {
        var options: SetupOptions
        var code: SessionErrorCode?
    }

    /// Sees what becomes of a client that says this.
    private func expect(
        _ expected: Case,
        _ profile: DraftProfile,
        configuration: MoQSessionConfiguration = MoQSessionConfiguration(),
        link: InMemoryLinkConfiguration = InMemoryLinkConfiguration()
    ) throws {
        let harness = RawHarness(profile, peer: .client, configuration: configuration, link: link)
        harness.session.start()
        try harness.peer.setUp(expected.options)
        harness.run()
        #expect(harness.handler.closures.map(\.code) == [expected.code].compactMap(\.self))
        #expect(harness.peer.closeCode == expected.code)
        #expect((harness.session.state == .established) == (expected.code == nil))
    }

    @Test(
        "A server that serves some paths and authorities refuses others",
        arguments: DraftProfile.all,
        [
            Case(options: SetupOptions(path: "/live?a=1", authority: "relay.example")),
            Case(options: SetupOptions()),
            Case(options: SetupOptions(path: "/live"), code: .invalidPath),
            Case(options: SetupOptions(path: "/live?a=1", authority: "other.example"), code: .invalidAuthority),
        ]
    )
    func served(profile: DraftProfile, expected: Case) throws {
        var configuration = MoQSessionConfiguration()
        configuration.servedPaths = ["/live?a=1"]
        configuration.servedAuthorities = ["relay.example"]
        try self.expect(expected, profile, configuration: configuration)
    }

    @Test(
        "Where the transport carries the URI, SETUP must not",
        arguments: DraftProfile.all,
        [
            Case(options: SetupOptions()),
            Case(options: SetupOptions(path: "/live"), code: .invalidPath),
            Case(options: SetupOptions(authority: "relay.example"), code: .invalidAuthority),
        ]
    )
    func carried(profile: DraftProfile, expected: Case) throws {
        var link = InMemoryLinkConfiguration()
        link.carriesURI = true
        try self.expect(expected, profile, link: link)
    }

    @Test("A client leaves out of its SETUP what the transport carries", arguments: DraftProfile.all)
    func leftOut(profile: DraftProfile) throws {
        for carriesURI in [true, false] {
            var link = InMemoryLinkConfiguration()
            link.carriesURI = carriesURI
            var configuration = MoQSessionConfiguration()
            configuration.setup.path = "/live"
            configuration.setup.authority = "relay.example"
            let harness = Harness(
                Variant(profile: profile, subscriber: .client),
                link: link,
                client: configuration
            )
            harness.start()
            harness.run()
            #expect(harness.server.state == .established)
            #expect(harness.server.peerSetup?.path == (carriesURI ? nil : "/live"))
            #expect(harness.server.peerSetup?.authority == (carriesURI ? nil : "relay.example"))
        }
    }

    @Test("PATH and AUTHORITY from a server")
    func fromServer() throws {
        for (options, code) in [
            (SetupOptions(path: "/x"), SessionErrorCode.invalidPath),
            (SetupOptions(authority: "x"), SessionErrorCode.invalidAuthority),
        ] {
            let harness = RawHarness(.draft18, peer: .server)
            harness.session.start()
            harness.peer.listen()
            let setup = Setup(options: options)
            // A codec does not write this for a server.
            try harness.peer.send(uni: try MessageCodec(profile: .draft18, role: .client).encode(.setup(setup)))
            harness.run()
            #expect(harness.handler.closures.map(\.code) == [code])
        }
    }
}
