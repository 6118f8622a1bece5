// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQPicoQuic
internal import PacketLoop
internal import PicoQuic
internal import WebTransport
internal import WebTransportPicoQuic

/// `moq bench slow-reader`, running: one end of it.
struct SlowReaderRun {
    private let command: BenchSlowReaderCommand
    /// What each stream carries: whole numbers of the pattern.
    private let share: UInt64

    /// Takes the options.
    init(_ command: BenchSlowReaderCommand) {
        self.command = command
        let unit = UInt64(BenchPattern.unit)
        self.share = max(1, UInt64(command.megabytes) * 1_000_000 / UInt64(command.streams) / unit) * unit
    }

    /// Runs the end that the options ask for, prints what it saw, and fails when something is not as it should be.
    func run() async throws {
        let outcome = Outcome<StatisticsReport>()
        SignalWatch.process.onStop { outcome.fail(.interrupted(by: $0)) }
        if let address = self.command.destination.listen {
            try await self.read(at: address, outcome)
        } else if let url = self.command.destination.url {
            try await self.write(to: url, outcome)
        }
    }

    // MARK: - The reader

    private func read(at address: ListenAddress, _ outcome: Outcome<StatisticsReport>) async throws {
        let identity = try self.command.destination.identity.credentials(host: address.host)
        let cell = LoopCell<SlowReader>()
        let (streams, share, pause) = (self.command.streams, self.share, self.command.seconds.duration)
        let connection = self.command.connection
        let endpoint = BenchEndpoint { configuration in
            configuration.credentials = identity.credentials
            connection.apply(to: &configuration)
        } accept: { session, loop in
            guard cell.bound == nil else {
                session.close(code: 0, reason: "one is enough")
                return
            }
            let reader = SlowReader(
                session,
                loop: loop,
                expecting: UInt64(streams) * share,
                in: streams,
                pause: pause,
                outcome: outcome
            )
            cell.set(reader, on: loop)
        }
        let host = try address.numericHost()
        let local: QUICAddress
        do throws(QUICError) {
            local = try QUICAddress(host: host, port: address.port)
        } catch {
            throw CommandFailure(error.message)
        }
        let port = try await endpoint.start(on: local)
        if let fingerprint = identity.fingerprint {
            StandardStreams.say("fingerprint sha-256 \(fingerprint)")
        }
        StandardStreams.say("listening moqt://\(ListenAddress.authority(host: address.host, port: port))")
        let result = await Self.end(outcome)
        await endpoint.stop()
        StandardStreams.say(String(try result.get().text.dropLast()))
    }

    // MARK: - The writer

    private func write(to url: EndpointURL, _ outcome: Outcome<StatisticsReport>) async throws {
        let cell = LoopCell<SlowReaderPeer>()
        let (streams, share) = (self.command.streams, self.share)
        let (connection, trust) = (self.command.connection, self.command.destination.trust)
        // So little per stream that every stream can be written to: what stops them all is the session's window.
        var bounds = WebTransportConfiguration()
        bounds.streamHighWatermark = bounds.sessionHighWatermark / 2 / streams
        bounds.streamLowWatermark = bounds.streamHighWatermark / 2
        let endpoint = BenchEndpoint(bounds: bounds) { configuration in
            configuration.verification = trust.verification
            connection.apply(to: &configuration)
        }
        _ = try await endpoint.start()
        let result: Result<StatisticsReport, any Error>
        do {
            try await endpoint.connect(to: url.url.host, port: url.url.port) { session, loop in
                cell.set(
                    SlowReaderPeer(session, loop: loop, streams: streams, byteCount: share, outcome: outcome),
                    on: loop
                )
            }
            result = await Self.end(outcome)
        } catch {
            result = .failure(error)
        }
        await endpoint.stop()
        StandardStreams.say(String(try result.get().text.dropLast()))
    }

    private static func end(_ outcome: Outcome<StatisticsReport>) async -> Result<StatisticsReport, any Error> {
        do {
            return .success(try await outcome.value())
        } catch {
            return .failure(error)
        }
    }
}
