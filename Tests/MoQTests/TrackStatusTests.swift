// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@Suite("Asking about a track", .timeLimit(.minutes(2)))
struct TrackStatusTests {
    @Test("The answer says what a SUBSCRIBE_OK would say", arguments: Variant.all)
    func accepted(variant: Variant) throws {
        let harness = Harness.established(variant)
        let properties = try PropertyList([
            try #require(KeyValuePair(type: PropertyType.defaultPublisherPriority, integer: 7))
        ])
        harness.publisherHandler.onTrackStatus = { request in
            #expect(request.track == Harness.track)
            #expect(request.request.tokens == [.useValue(type: 3, value: [1])])
            request.accept(largest: Location(group: 4, object: 2), properties: properties)
        }
        var results: [Result<RequestOk, MoQError>] = []
        let query = harness.subscriber.trackStatus(
            of: Harness.track,
            tokens: [.useValue(type: 3, value: [1])]
        ) { results.append($0) }
        #expect(query.isPending)
        harness.run()
        let ok = try #require(try results.first?.get())
        #expect(results.count == 1)
        #expect(ok.largestObject == Location(group: 4, object: 2))
        #expect(ok.properties == (variant.profile == .draft18 ? properties : PropertyList()))
        #expect(!query.isPending)
        harness.expectNothingLive()
    }

    @Test("A refusal carries code, reason and retry; a dropped question INTERNAL_ERROR", arguments: Variant.all)
    func refused(variant: Variant) throws {
        let harness = Harness.established(variant)
        var errors: [MoQError?] = []
        harness.publisherHandler.onTrackStatus = { $0.reject(.doesNotExist, reason: "no such track", retryAfter: 9) }
        harness.subscriber.trackStatus(of: Harness.track) { errors.append($0.failure) }
        harness.run()
        harness.publisherHandler.onTrackStatus = { _ in }
        harness.subscriber.trackStatus(of: Harness.track) { errors.append($0.failure) }
        harness.run()
        #expect(errors.map { $0?.requestError } == [.doesNotExist, .internalError])
        #expect(errors.first??.message == "no such track")
        #expect(errors.first??.retryAfter == (variant.profile == .draft14 ? nil : 9))
        harness.expectNothingLive()
    }

    @Test("A question can be taken back, and does not outlive the session", arguments: Variant.all)
    func cancelled(variant: Variant) throws {
        let harness = Harness.established(variant)
        var codes: [MoQError.Code?] = []
        let query = harness.subscriber.trackStatus(of: Harness.track) { codes.append($0.failure?.code) }
        harness.run()
        let request = try #require(harness.publisherHandler.statuses.first)
        query.cancel()
        #expect(codes == [.cancelled])
        harness.run()
        request.accept()
        harness.run()
        #expect(codes.count == 1)
        harness.expectNothingLive()

        harness.publisherHandler.statuses = []
        harness.subscriber.trackStatus(of: Harness.track) { codes.append($0.failure?.code) }
        harness.run()
        var cancels = 0
        harness.publisherHandler.statuses.first?.onCancelled = { cancels += 1 }
        harness.publisher.close()
        harness.run()
        #expect(codes == [.cancelled, .sessionClosed])
        #expect(cancels == 1)
        harness.expectNothingLive()
    }

    @Test("A question cannot be updated, nor unsubscribed from", arguments: DraftProfile.all)
    func violations(profile: DraftProfile) throws {
        for isUpdate in [true, false] where isUpdate || !profile.hasOwnStream(.trackStatus) {
            let harness = try RawHarness.established(profile, peer: .client)
            let id = harness.peerID()
            let stream = try harness.peer.request(.trackStatus(TrackStatus(requestID: id, track: Harness.track)))
            harness.run()
            let update = RequestUpdate(
                requestID: harness.peerID(1),
                existingRequestID: profile.repliesCarryRequestID ? id : nil,
                parameters: profile == .draft14 ? .whole : SubscriptionParameters()
            )
            let message: MoQMessage = isUpdate ? .requestUpdate(update) : .unsubscribe(Unsubscribe(requestID: id))
            if let stream {
                try stream.send.write(Bytes(try harness.peer.bytes(message)))
            } else {
                try harness.peer.sendControl(message)
            }
            harness.run()
            #expect(harness.handler.closures.map(\.code) == [.protocolViolation])
        }
    }

    @Test("The request stream ends with the answer")
    func streamEnds() throws {
        let harness = try RawHarness.established(.draft18, peer: .server)
        var codes: [MoQError.Code?] = []
        harness.session.trackStatus(of: Harness.track) { codes.append($0.failure?.code) }
        harness.session.trackStatus(of: Harness.track) { codes.append($0.failure?.code) }
        harness.run()
        try harness.peer.requests[0].send.finish()
        harness.peer.requests[1].send.reset(code: 0)
        harness.run()
        #expect(codes == [.cancelledByPeer, .cancelledByPeer])
        #expect(harness.session.counters.liveRequests == 0)
    }
}
