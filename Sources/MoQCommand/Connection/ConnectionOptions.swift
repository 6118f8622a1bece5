// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import Logging
internal import PicoQuic

/// What every command that uses the network understands.
struct ConnectionOptions: ParsableArguments {
    /// What is used when nothing is asked for.
    private static let defaultCongestionControl = QUICConfiguration(applicationProtocols: []).congestionControl

    @Option(
        name: [.customLong("drafts"), .customLong("draft")],
        help: ArgumentHelp(
            "The drafts of MoQ Transport to use, the preferred one first (default: \(DraftList.all.text)).",
            valueName: "numbers"
        ),
        transform: { try DraftList(parsing: $0) }
    )
    var drafts: DraftList = .all

    @Option(
        help: ArgumentHelp(
            """
            Log what is at least so important on standard error: trace, debug, info, notice, warning, error or critical \
            (default: warning). At debug, a relay names every session and request.
            """,
            valueName: "level"
        ),
        transform: { text in
            guard let level = Logger.Level(rawValue: text) else {
                throw ValidationError("the levels are \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return level
        }
    )
    var logLevel: Logger.Level = .warning

    @Option(help: ArgumentHelp("Append the TLS secrets to this file, for Wireshark.", valueName: "file"))
    var keylog: String?

    @Option(help: ArgumentHelp("Write a qlog file per connection into this directory.", valueName: "dir"))
    var qlogDir: String?

    @Option(
        name: .customLong("cc"),
        help: ArgumentHelp(
            """
            The congestion control: \(CongestionControl.names.joined(separator: ", ")) (default: \
            \(Self.defaultCongestionControl)). bbr and bbr1 take picoquic's options behind a colon: bbr1:Q0.05 sends 50 ms of \
            traffic at a time.
            """,
            valueName: "name"
        ),
        transform: { setting in
            if let complaint = CongestionControl.complaint(about: setting) {
                throw ValidationError(complaint)
            }
            return setting
        }
    )
    var congestionControl: String = Self.defaultCongestionControl

    @Flag(help: "Do not let the peer and this side say how often they want to be acknowledged.")
    var noAckFrequency = false

    @Option(
        name: .customLong("loop"),
        help: ArgumentHelp(
            """
            What carries the packets: \(PacketLoopKind.available.map(\.rawValue).joined(separator: ", ")). epoll receives \
            and sends in batches, on Linux (default: $\(PacketLoopKind.environmentVariable), else epoll where it is).
            """,
            valueName: "name"
        ),
        transform: { try Self.packetLoop(named: $0) }
    )
    var packetLoop: PacketLoopKind = .standard

    @Option(
        help: ArgumentHelp(
            """
            For how long to look for packets again and again before the thread sleeps, 0 to 1000000: what comes in that time is \
            served sooner, by a core that is busy for as long after everything that happens. Needs --loop epoll.
            """,
            valueName: "microseconds"
        )
    )
    var busyPoll = 0

    @Option(
        help: ArgumentHelp(
            """
            A file with authorization tokens, one a line. Who connects shows the first with each request; who listens refuses \
            requests that show none of them.
            """,
            valueName: "file"
        ),
        transform: { try TokenFile(reading: $0) }
    )
    var tokenFile: TokenFile?

    func validate() throws {
        guard (0...1_000_000).contains(self.busyPoll) else {
            throw ValidationError("--busy-poll must be 0 to 1000000")
        }
        guard self.busyPoll == 0 || self.packetLoop == .epoll else {
            throw ValidationError("--busy-poll needs --loop epoll")
        }
    }

    /// Makes everything that logs write to standard error from this level on. Called once per process.
    func startLogging() {
        let level = self.logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }

    /// The packet loop of that name, if this system has it.
    static func packetLoop(named name: String) throws -> PacketLoopKind {
        guard let loop = PacketLoopKind(rawValue: name), PacketLoopKind.available.contains(loop) else {
            let names = PacketLoopKind.available.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("unknown packet loop '\(name)', there are \(names)")
        }
        return loop
    }

    /// Sets what the options say about QUIC.
    func apply(to quic: inout QUICConfiguration) {
        quic.congestionControl = self.congestionControl
        quic.offersAcknowledgementFrequency = !self.noAckFrequency
        quic.packetLoop = self.packetLoop
        quic.busyPoll = .microseconds(self.busyPoll)
        quic.keyLogFile = self.keylog
        quic.qlogDirectory = self.qlogDir
    }
}
