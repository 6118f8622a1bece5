// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import WebTransportInMemory

@testable import MoQCommand

/// An origin and a client of the moq-test protocol, with a relay in between or without, on simulated links in virtual
/// time.
final class MoQTestWorld {
    let driver: ManualLoopDriver
    let relay: MoQRelay
    private let origin: DraftProfile
    private let client: DraftProfile
    private var links: [InMemoryLink] = []
    private var sessions: [MoQSession] = []

    /// What the client found.
    private(set) var reports: [MoQTestReport] = []
    /// Whether the client is done, and why if it could not go on.
    private(set) var ending: CommandFailure??

    init(origin: DraftProfile, client: DraftProfile) {
        let loop = ManualLoopDriver.makeLoop(label: "moq-test world")
        self.driver = ManualLoopDriver(loop: loop)
        self.relay = MoQRelay(loop: loop, configuration: MoQRelayConfiguration())
        self.origin = origin
        self.client = client
    }

    /// Asks for the tracks through the relay.
    func runThroughRelay(_ jobs: [MoQTestJob]) {
        let link = self.makeLink()
        let announced = MoQTestOriginPeer(loop: self.driver.loop, announces: true)
        self.start(self.origin, link, announced)
        if let session = self.relay.accept(link.server, profile: self.origin) {
            self.sessions.append(session)
        }
        self.driver.advance(by: .milliseconds(200))
        self.ask(jobs) { link in
            if let session = self.relay.accept(link.server, profile: self.client) {
                self.sessions.append(session)
            }
        }
    }

    /// Asks the origin itself for the tracks, or another publisher. Both sides speak the client's draft.
    func runDirectly(_ jobs: [MoQTestJob], origin: (any MoQSessionHandler)? = nil) {
        let handler = origin ?? MoQTestOriginPeer(loop: self.driver.loop, announces: false)
        self.ask(jobs) { link in
            let session = MoQSession(
                transport: link.server,
                loop: self.driver.loop,
                profile: self.client,
                configuration: MoQSessionConfiguration(),
                handler: handler
            )
            self.sessions.append(session)
            session.start()
        }
    }

    private func ask(_ jobs: [MoQTestJob], accept: (InMemoryLink) -> Void) {
        let link = self.makeLink()
        let peer = MoQTestClientPeer(loop: self.driver.loop, jobs: jobs, wait: .zero) { [weak self] report in
            self?.reports.append(report)
        } finished: { [weak self] failure in
            self?.ending = .some(failure)
        }
        self.start(self.client, link, peer)
        accept(link)
        // Half an hour is more than all tracks take together.
        for _ in 0..<1_800 where self.ending == nil {
            self.driver.advance(by: .seconds(1))
        }
    }

    private func makeLink() -> InMemoryLink {
        let link = InMemoryLink(loop: self.driver.loop, configuration: InMemoryLinkConfiguration())
        self.links.append(link)
        return link
    }

    private func start(_ profile: DraftProfile, _ link: InMemoryLink, _ handler: any MoQSessionHandler) {
        let session = MoQSession(
            transport: link.client,
            loop: self.driver.loop,
            profile: profile,
            configuration: MoQSessionConfiguration(),
            handler: handler
        )
        self.sessions.append(session)
        session.start()
    }
}
