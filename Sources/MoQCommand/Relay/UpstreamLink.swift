// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQPicoQuic
internal import MoQRelay
internal import MoQWire
internal import PacketLoop

/// One `--upstream` of a relay: connects when the relay says so, and tells on standard error what becomes of it.
struct UpstreamLink: Sendable {
    /// Where to.
    let url: EndpointURL
    /// Whose loop and socket are used.
    let server: ServerEndpoint
    /// What is shown with each request, if anything.
    let tokens: TokenFile?

    /// Makes the relay connect. Does nothing when it does not run any more.
    func add(to cell: LoopCell<MoQRelay>) async {
        guard let relay = cell.bound else {
            return
        }
        let configuration = self.configuration(for: self.url)
        _ = try? await relay.loop.run {
            _ = relay.value.addUpstream(name: self.url.url.description, session: configuration) { event in
                self.tell(event)
            } dial: { upstream in
                self.dial(LoopBound(upstream, on: relay.loop), redirect: upstream.redirect)
            }
        }
    }

    private func configuration(for url: EndpointURL) -> MoQSessionConfiguration {
        var session = MoQSessionConfiguration()
        session.stallTimeout = ClientSettings.stallTimeout
        session.setup.authority = url.url.authority
        session.setup.path = url.url.pathAndQuery
        // Everything that is announced at the relay goes up in one burst when the connection stands.
        session.maxWaitingRequests = MoQRelayConfiguration().maximumNamespacesPerSession
        self.tokens?.show(in: &session)
        return session
    }

    /// Where to connect to: where the upstream relay said (GOAWAY), or else where the command line says.
    private func target(_ redirect: String?) throws(CommandFailure) -> EndpointURL {
        guard let redirect else {
            return self.url
        }
        guard let url = try? EndpointURL(parsing: redirect) else {
            // The text is the peer's, so control characters are escaped.
            throw CommandFailure("it said to connect to \(redirect.debugDescription), which is no moqt URL")
        }
        return url
    }

    private func dial(_ upstream: LoopBound<RelayUpstream>, redirect: String?) {
        Task {
            do throws(CommandFailure) {
                let url = try self.target(redirect)
                try await self.server.connect(to: url) { transport, profile in
                    upstream.value.connected(transport, profile: profile, configuration: self.configuration(for: url))
                }
            } catch {
                // A loop that has ended needs no answer.
                upstream.loop.post {
                    upstream.value.failed(error.message)
                }
            }
        }
    }

    private func tell(_ event: RelayUpstream.Event) {
        let name = "upstream \(self.url.url)"
        switch event {
        case .ready(let draft):
            StandardStreams.complain("\(name): connected, draft \(draft.number)")
        case .unreachable(let reason, let delay):
            StandardStreams.complain("\(name): \(reason); next try in \(Self.text(delay))")
        case .lost(let reason, let delay):
            // The reason may be the peer's, so control characters are escaped.
            StandardStreams.complain("\(name): lost (\(reason.debugDescription)); next try in \(Self.text(delay))")
        case .circular(let delay):
            StandardStreams.complain(
                "\(name): not used, because it leads back to this relay; next try in \(Self.text(delay))"
            )
        }
    }

    /// "0.4 s".
    private static func text(_ delay: Duration) -> String {
        let tenths = Int((Quantity.seconds(delay) * 10).rounded(.up))
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
