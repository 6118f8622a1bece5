// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ArgumentParser
import MoQWire
import PicoQuic
import Testing

@testable import MoQCommand

@Suite("Values on the command line")
struct ArgumentTests {
    @Test(
        "Addresses to listen at",
        arguments: zip(
            ["127.0.0.1:4433", "localhost:0", "[::1]:65535", "0.0.0.0:1"],
            [("127.0.0.1", 4_433), ("localhost", 0), ("::1", 65_535), ("0.0.0.0", 1)] as [(String, UInt16)]
        )
    )
    func addresses(text: String, expected: (String, UInt16)) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.host == expected.0)
        #expect(address.port == expected.1)
        #expect(address.description == text)
    }

    @Test("A relay gives out tokens, each of which it has to remember, only when it is loaded or told to")
    func retry() throws {
        let fixed = ["--listen=127.0.0.1:0", "--self-signed"]
        #expect(try RelayCommand.parse(fixed).retry == .whenLoaded)
        #expect(try RelayCommand.parse(fixed + ["--retry=loaded"]).retry == .whenLoaded)
        #expect(try RelayCommand.parse(fixed + ["--retry=always"]).retry == .always)
    }

    @Test("What is said about congestion control and the loop gets into the configuration, and nothing else does")
    func connection() throws {
        func configuration(_ arguments: String...) throws -> QUICConfiguration {
            var configuration = QUICConfiguration(applicationProtocols: [])
            try ConnectionOptions.parse(arguments).apply(to: &configuration)
            return configuration
        }
        let usual = try configuration()
        #expect(usual.congestionControl == "cubic")
        #expect(usual.offersAcknowledgementFrequency)
        #expect(usual.busyPoll == .zero)
        #if os(Linux)
        let special = try configuration("--cc=bbr1:Q0.05", "--no-ack-frequency", "--busy-poll=250", "--loop=epoll")
        #expect(special.congestionControl == "bbr1:Q0.05")
        #expect(!special.offersAcknowledgementFrequency)
        #expect(special.busyPoll == .microseconds(250))
        // Subscribers with a loop of their own are not polled for.
        var shared = special
        try LoadOptions.parse(["--busy-poll", "250", "--loop", "epoll"]).applyToSubscribers(&shared)
        #expect(shared.busyPoll == .microseconds(250))
        for loop in PacketLoopKind.available {
            var other = special
            try LoadOptions.parse(["--loop", "epoll", "--subscriber-loop", loop.rawValue]).applyToSubscribers(&other)
            #expect(other.packetLoop == loop && other.busyPoll == .zero)
        }
        #endif
    }

    @Test(
        "What is no address",
        arguments: ["", "host", "host:", ":1", "host:65536", "host:-1", "::1:443", "h:1x", "h:+1"]
    )
    func badAddresses(text: String) {
        #expect(throws: (any Error).self) { try ListenAddress(parsing: text) }
    }

    @Test("Drafts keep their order")
    func drafts() throws {
        #expect(try DraftList(parsing: "16,18").versions == [.draft16, .draft18])
        #expect(try DraftList(parsing: "draft-18,18,14").versions == [.draft18, .draft14])
        for text in ["", "18,", "99", "x", "15"] {
            #expect(throws: (any Error).self, "\(text)") { try DraftList(parsing: text) }
        }
    }

    @Test("Seconds")
    func seconds() {
        #expect(SecondsArgument(argument: "0.25")?.duration == .milliseconds(250))
        #expect(SecondsArgument(argument: "0")?.duration == .zero)
        for text in ["", "-1", "x", "nan", "inf", "1e300"] {
            #expect(SecondsArgument(argument: text) == nil, "\(text)")
        }
    }
}
