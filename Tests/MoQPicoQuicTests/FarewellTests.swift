// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQRelay
import MoQWire
import Testing
import WebTransport

@Suite("The last words of a client", .tags(.network), .timeLimit(.minutes(1)))
struct FarewellTests {
    private static let track = FullTrackName(namespace: TrackNamespace(["live"]), name: "t")

    @Test("A client that finishes its track and closes at once is understood", arguments: DraftProfile.all)
    func finish(draft: DraftProfile) async throws {
        let stage = try await Stage(
            makeAcceptor: { loop in
                let relay = MoQRelay(loop: loop)
                return { transport, profile in relay.accept(transport, profile: profile) }
            }
        )
        let viewer = try await stage.connect(drafts: [draft.version], journal: Journal())
        // Whether the words arrive before the connection ends is a matter of luck for a client that does not see to it.
        for round in 0..<10 {
            let publisher = try await stage.connect(drafts: [draft.version], journal: Journal())
            let writer = try await publisher.session.publish(Self.track)
            let reader = try await viewer.session.subscribe(SubscribeRequest(track: Self.track))
            try await writer.waitForSubscriber()
            let group = try await writer.beginGroup()
            try await group.write(Bytes(utf8: "the only object"))
            try await group.finish()
            var objects = reader.makeAsyncIterator()
            let object = try await objects.next()
            #expect(object?.payload.array == Array("the only object".utf8))
            try await writer.finish()
            await publisher.close()
            do {
                while try await objects.next() != nil {}
            } catch {
                Issue.record("round \(round): \(error)")
            }
        }
        await viewer.close()
        await stage.server.stop()
    }
}
