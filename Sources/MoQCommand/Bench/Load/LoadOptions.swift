// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import PicoQuic

/// What all loads have in common.
struct LoadOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The relay, for example moqt://127.0.0.1:4433. Without one, the publisher serves its subscribers itself.",
            valueName: "url"
        ),
        transform: { try EndpointURL(parsing: $0) }
    )
    var url: EndpointURL?

    @Option(help: ArgumentHelp("How long to measure, 0.01 to 86400.", valueName: "seconds"))
    var duration = SecondsArgument(seconds: 10)

    @Option(
        help: ArgumentHelp("How long objects flow before they are measured, up to 3600.", valueName: "seconds")
    )
    var warmUp = SecondsArgument(seconds: 1)

    @Option(
        help: ArgumentHelp("An object that arrives so long after it was due counts as late.", valueName: "seconds")
    )
    var lateAfter = SecondsArgument(seconds: 1)

    @Option(
        help: ArgumentHelp(
            "The relay's process, if it runs on this host: what it uses is reported (Linux).",
            valueName: "pid"
        )
    )
    var relayPid: Int32?

    @Option(
        help: ArgumentHelp(
            "What carries the subscribers' packets, if not what --loop and --busy-poll say.",
            valueName: "name"
        ),
        transform: { try ConnectionOptions.packetLoop(named: $0) }
    )
    var subscriberLoop: PacketLoopKind?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @OptionGroup(title: "Trusting the relay")
    var trust: ClientTrustOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    /// What carries the packets of the subscribers.
    var loopOfSubscribers: PacketLoopKind { self.subscriberLoop ?? self.connection.packetLoop }

    /// Sets what carries the packets of the subscribers, after what holds for both sides.
    func applyToSubscribers(_ quic: inout QUICConfiguration) {
        if let loop = self.subscriberLoop {
            quic.packetLoop = loop
            quic.busyPoll = .zero
        }
    }

    func validate() throws {
        guard (.milliseconds(10)...Duration.seconds(86_400)).contains(self.duration.duration) else {
            throw ValidationError("--duration must be 0.01 to 86400")
        }
        guard self.warmUp.duration <= .seconds(3_600) else {
            throw ValidationError("--warm-up must be 0 to 3600")
        }
        if let pid = self.relayPid {
            guard self.url != nil else {
                throw ValidationError("--relay-pid needs the URL of the relay")
            }
            guard pid > 0 else {
                throw ValidationError("--relay-pid must be at least 1")
            }
        }
    }
}

/// How the payloads of a load are cut into objects, groups and streams.
struct LoadShapeOptions: ParsableArguments {
    /// A longer object tells nothing more, and each is in memory as a whole.
    private static let maximumSize = 4 << 20

    @Option(help: ArgumentHelp("How many objects a group has, 1 to 1000000000.", valueName: "count"))
    var groupSize: UInt64 = 1_000

    @Option(
        help: ArgumentHelp(
            "Spread the objects of a group over so many streams, 1 to 64.",
            valueName: "count"
        )
    )
    var subgroups = 1

    @Flag(help: "Send each object in a datagram, which may get lost.")
    var datagrams = false

    func validate() throws {
        guard (1...1_000_000_000).contains(self.groupSize) else {
            throw ValidationError("--group-size must be 1 to 1000000000")
        }
        guard (1...64).contains(self.subgroups), UInt64(self.subgroups) <= self.groupSize else {
            throw ValidationError("--subgroups must be 1 to 64, and at most --group-size")
        }
        guard !self.datagrams || self.subgroups == 1 else {
            throw ValidationError("--datagrams and --subgroups exclude each other")
        }
    }

    /// Checks a length of payloads.
    func check(size: Int) throws {
        let maximum = self.datagrams ? PublicationPlan.maximumDatagramPayload : Self.maximumSize
        guard (LoadStamp.length...maximum).contains(size) else {
            throw ValidationError(
                "--size must be \(LoadStamp.length) to \(maximum)\(self.datagrams ? ", to fit a datagram" : "")"
            )
        }
    }
}
