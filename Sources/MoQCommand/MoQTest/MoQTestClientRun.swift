// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// `moq test-client`, running.
struct MoQTestClientRun {
    private let command: MoQTestClientCommand

    /// Takes the options.
    init(_ command: MoQTestClientCommand) {
        self.command = command
    }

    /// How many tracks were asked for, and how many of them were not as they should be.
    private struct Tally: Sendable {
        var tracks = 0
        var bad = 0
    }

    /// Asks for the tracks one after the other, and prints a report of each.
    /// - Throws: ``CommandFailure``, also when something arrived that should not, or did not arrive.
    func run() async throws {
        let outcome = Outcome<Void>()
        let tally = Locked(Tally())
        let cell = LoopCell<MoQSession>()
        let settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        let jobs = self.command.jobs(runName: "test-\(UInt64.random(in: 0...0xFFFF_FFFF))")
        let (wait, isJSON) = (self.command.wait.duration, self.command.json)
        let client = try await ClientEndpoint.connect(to: self.command.url, settings: settings) { loop in
            let peer = MoQTestClientPeer(loop: loop, jobs: jobs, wait: wait) { report in
                tally.withLock { tally in
                    tally.tracks += 1
                    tally.bad += report.isGood ? 0 : 1
                }
                for line in isJSON ? [report.json] : report.lines {
                    StandardStreams.say(line)
                }
            } finished: { failure in
                if let failure {
                    outcome.fail(failure)
                } else {
                    outcome.succeed(())
                }
            }
            return ClientEndpoint.Attachment(handler: peer) { session in
                cell.set(session, on: loop)
            }
        }
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        let result = await outcome.settled()
        await cell.finish { session, done in
            session.close(.noError, reason: "")
            done()
        }
        await client.close()
        try result.get()
        let (tracks, bad) = tally.withLock { ($0.tracks, $0.bad) }
        guard bad == 0 else {
            throw CommandFailure("\(bad) of \(tracks) tracks are not what their namespaces say")
        }
    }
}
