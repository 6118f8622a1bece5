// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransportInMemory

@testable import MoQCommand

/// One visit of `moq bench churn`, over a simulated link in virtual time.
@Suite("Visits of moq bench churn")
struct ChurnPeerTests {
    /// Accepts a subscription after having said so often that the track does not exist; nil for no answer at all.
    private final class Relay: LoadSessionHandler {
        private let refusals: Int?
        private(set) var asked: [IncomingSubscribe] = []

        init(refusals: Int?) {
            self.refusals = refusals
        }

        func sessionDidSetUp(_ session: MoQSession) {}
        func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
            self.asked.append(request)
            guard let refusals = self.refusals else { return }
            if self.asked.count > refusals {
                _ = request.accept()
            } else {
                request.reject(.doesNotExist, reason: "not yet")
            }
        }
        func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
    }

    /// What became of a visit with two subscriptions, how many were counted, and how often the relay was asked.
    private static func visit(
        refusals: Int?,
        isPublished: Bool
    ) -> (result: Result<Void, CommandFailure>?, counted: UInt64, asked: Int) {
        let loop = ManualLoopDriver.makeLoop(label: "churn")
        let driver = ManualLoopDriver(loop: loop)
        let link = InMemoryLink(loop: loop)
        let relay = Relay(refusals: refusals)
        let figures = ChurnFigures()
        let outcome = Outcome<Void>()
        let peer = ChurnPeer(
            tracks: ["a", "b"].map { FullTrackName(namespace: TrackNamespace(["churn"]), name: $0) },
            isPublished: isPublished,
            figures: figures,
            outcome: outcome
        )
        let handlers: [any MoQSessionHandler] = [relay, peer]
        let sessions = zip([link.server, link.client], handlers).map { transport, handler in
            MoQSession(transport: transport, loop: loop, profile: .draft18, handler: handler)
        }
        for session in sessions {
            session.start()
        }
        driver.advance(by: .seconds(9))
        let early = outcome.result
        driver.advance(by: .seconds(2))
        if refusals == nil {
            // It waits for a while before it gives up.
            #expect(early == nil)
        }
        let result = outcome.result
        for session in sessions {
            session.close()
        }
        driver.advance(by: .seconds(1))
        return (result, figures.subscribed.count, relay.asked.count)
    }

    @Test("A track that is published and not known at the relay yet is asked for again")
    func retried() throws {
        let visit = Self.visit(refusals: 3, isPublished: true)
        try #require(visit.result).get()
        #expect(visit.counted == 2)
        #expect(visit.asked == 5)
    }

    @Test("That a track which is published does not exist is a failure in the end")
    func missing() {
        let visit = Self.visit(refusals: .max, isPublished: true)
        #expect(throws: CommandFailure.self) { try visit.result?.get() }
        #expect(visit.counted == 0)
        #expect(visit.asked == 50)
    }

    @Test("That a track does not exist which nobody is known to publish is an answer")
    func unpublished() throws {
        let visit = Self.visit(refusals: .max, isPublished: false)
        try #require(visit.result).get()
        #expect(visit.counted == 2)
        #expect(visit.asked == 2)
    }

    @Test("A subscription that is not answered is a failure after a while")
    func unanswered() throws {
        let visit = Self.visit(refusals: nil, isPublished: true)
        let failure = try #require(throws: CommandFailure.self) { try visit.result?.get() }
        #expect(failure.message.contains("was not answered within 10 s"))
        #expect(visit.counted == 0)
        #expect(visit.asked == 1)
    }
}
