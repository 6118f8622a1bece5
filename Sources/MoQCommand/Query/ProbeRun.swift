// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQWire
internal import PicoQuic

/// `moq probe`, running.
struct ProbeRun {
    /// What came of the try with one draft.
    private enum Finding {
        /// SETUP came, after so long; the name is the peer's, if it gave one.
        case spoken(after: Duration, implementation: String?)
        /// The draft is not spoken, or what the peer speaks is something else.
        case notSpoken(String)

        var isSpoken: Bool {
            if case .spoken = self { true } else { false }
        }
    }

    private let command: ProbeCommand

    /// Takes the options.
    init(_ command: ProbeCommand) {
        self.command = command
    }

    /// Tries one draft after the other and prints what came of it.
    /// - Throws: ``CommandFailure``, when the relay cannot be reached, or speaks none of the drafts.
    func run() async throws {
        var isAnySpoken = false
        for draft in self.command.connection.drafts.versions {
            let finding = try await self.probe(draft)
            isAnySpoken = isAnySpoken || finding.isSpoken
            guard StandardStreams.say(self.command.json ? Self.json(draft, finding) : Self.text(draft, finding)) else {
                throw CommandFailure("nobody reads the output any more")
            }
        }
        guard isAnySpoken else {
            throw CommandFailure(
                "\(self.command.url.authority) speaks none of the drafts \(self.command.connection.drafts.text)"
            )
        }
    }

    private func probe(_ draft: DraftVersion) async throws -> Finding {
        var settings = ClientSettings(connection: self.command.connection, trust: self.command.trust)
        settings.endpoint.drafts = [draft]
        // SETUP that does not come is to be told as soon as a server that does not answer.
        settings.session.setupTimeout = ClientSettings.connectTimeout
        let outcome = Outcome<String?>()
        let began = ContinuousClock.now
        let client: MoQPicoQuicClient
        do {
            client = try await MoQPicoQuicClient.connect(
                to: self.command.url.url,
                configuration: settings.endpoint,
                sessionConfiguration: settings.session,
                timeout: ClientSettings.connectTimeout
            ) { _ in
                AskingPeer { session in
                    outcome.succeed(session.peerSetup?.implementation)
                } ended: { closure in
                    outcome.fail(CommandFailure("no SETUP: \(closure)"))
                }
            }
        } catch  where error.code == .noCommonProtocol {
            return .notSpoken("no common draft")
        } catch {
            throw CommandFailure(error.message)
        }
        let finding: Finding
        do {
            let implementation = try await outcome.value()
            finding = .spoken(after: began.duration(to: .now), implementation: implementation)
        } catch {
            finding = .notSpoken("\(error)")
        }
        await client.close()
        return finding
    }

    private static func text(_ draft: DraftVersion, _ finding: Finding) -> String {
        switch finding {
        case .spoken(let time, let implementation):
            let milliseconds = Quantity.decimal(Quantity.seconds(time) * 1_000, digits: 1)
            let name = implementation.map { "  " + PlainText.escaped(Array($0.utf8)) } ?? ""
            return "\(draft.number)  yes  \(milliseconds) ms\(name)"
        case .notSpoken(let reason):
            return "\(draft.number)  no   \(reason)"
        }
    }

    private static func json(_ draft: DraftVersion, _ finding: Finding) -> String {
        var object = JSONObject()
        object.add("draft", UInt64(draft.number))
        object.add("spoken", .bool(finding.isSpoken))
        switch finding {
        case .spoken(let time, let implementation):
            object.add("setup_us", UInt64(max(0, Quantity.seconds(time) * 1_000_000)))
            object.add("implementation", implementation.map { .text($0) })
        case .notSpoken(let reason):
            object.add("reason", .text(reason))
        }
        return object.rendered
    }
}
