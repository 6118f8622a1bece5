// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import Testing

/// Draft-18 §10.6.1, "Redirect Structure".
@Suite("Requests that belong somewhere else", .timeLimit(.minutes(1)))
struct RedirectTests {
    private let target = Redirect(
        connectURI: "moqt://other.example/relay",
        namespace: TrackNamespace(path: "there"),
        name: Array("thing".utf8)
    )

    /// What a client is told about each kind of request that a server redirects.
    private func errors(_ harness: Harness) -> [MoQError] {
        let handler = harness.publisherHandler
        handler.onSubscribe = { [target] in $0.redirect(to: target, reason: "moved") }
        handler.onFetch = { [target] in $0.redirect(to: target, reason: "moved") }
        handler.onTrackStatus = { [target] in $0.redirect(to: target, reason: "moved") }
        handler.onAnnouncement = { [target] in $0.redirect(to: target, reason: "moved") }
        handler.onFeed = { [target] in $0.redirect(to: target, reason: "moved") }
        var errors: [MoQError] = []
        func note<Value>(_ result: Result<Value, MoQError>) {
            if case .failure(let error) = result {
                errors.append(error)
            }
        }
        let session = harness.subscriber
        session.subscribe(SubscribeRequest(track: Harness.track), consumer: CollectingConsumer(), response: note)
        harness.run()
        session.fetch(
            FetchRequest(track: Harness.track, from: Location(group: 0, object: 0), through: .group(1)),
            consumer: CollectingFetch(),
            response: note
        )
        harness.run()
        session.trackStatus(of: Harness.track, response: note)
        harness.run()
        session.publishNamespace(TrackNamespace(path: "here"), response: note)
        harness.run()
        session.subscribeNamespace(TrackNamespace(path: "here"), events: { _ in }, response: note)
        harness.run()
        return errors
    }

    @Test("Who asked is told where to", arguments: Variant.all)
    func redirected(variant: Variant) {
        let harness = Harness.established(variant)
        let errors = self.errors(harness)
        #expect(errors.count == 5)
        #expect(errors.allSatisfy { $0.code == .rejected && $0.message == "moved" })
        guard variant.profile.hasRedirect else {
            #expect(errors.allSatisfy { $0.redirect == nil && $0.requestError == .internalError })
            return
        }
        #expect(errors.allSatisfy { $0.requestError == .redirect })
        // A client cannot say where to connect to, and what is about a namespace has no name.
        let uri = variant.subscriber == .client ? self.target.connectURI : ""
        #expect(errors.allSatisfy { $0.redirect?.connectURI == uri })
        #expect(errors.allSatisfy { $0.redirect?.namespace == self.target.namespace })
        #expect(errors.map { $0.redirect?.name } == [self.target.name, self.target.name, self.target.name, [], []])
        #expect(errors[0].description.contains("moqt://other.example/relay") == (variant.subscriber == .client))
        #expect(harness.client.isOpen && harness.server.isOpen)
        harness.expectNothingLive()
    }

    @Test("A refusal with REDIRECT that says nowhere to go arrives as an internal error")
    func nowhere() {
        let harness = Harness.established(Variant(profile: .draft18, subscriber: .client))
        harness.publisherHandler.onSubscribe = { $0.reject(.redirect, reason: "somewhere") }
        let consumer = CollectingConsumer()
        harness.client.subscribe(SubscribeRequest(track: Harness.track), consumer: consumer) {
            consumer.responses.append($0)
        }
        harness.run()
        #expect(consumer.responses.map { $0.failure?.requestError } == [.internalError])
        harness.expectNothingLive()
    }
}
