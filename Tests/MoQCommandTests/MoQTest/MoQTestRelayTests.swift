// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import Testing

@testable import MoQCommand

/// Every track of the suite, verified object by object.
@Suite("The moq-test protocol through the relay", .timeLimit(.minutes(2)))
struct MoQTestRelayTests {
    /// The drafts of the origin and of the client.
    struct Drafts: Sendable, CustomTestStringConvertible {
        var origin: DraftProfile
        var client: DraftProfile

        static let all = DraftProfile.all.flatMap { origin in
            DraftProfile.all.map { Drafts(origin: origin, client: $0) }
        }

        var testDescription: String {
            "\(self.origin) to \(self.client)"
        }
    }

    private func expectGood(_ world: MoQTestWorld, count: Int = MoQTestSuite.tuples.count) {
        #expect(world.ending == .some(nil))
        #expect(world.reports.count == count)
        for report in world.reports where !report.isGood {
            Issue.record("\(report.lines.joined(separator: "\n"))")
        }
    }

    @Test("Fetches get exactly what the namespaces say", arguments: DraftProfile.all)
    func fetches(draft: DraftProfile) {
        let world = MoQTestWorld(origin: draft, client: draft)
        world.runThroughRelay(MoQTestSuite.jobs(runName: "track", fetch: true))
        self.expectGood(world)
        #expect(world.reports.reduce(0) { $0 + $1.objects } > 1_000)
    }

    @Test("Subscriptions get it too, and a fetch of the same afterwards", arguments: Drafts.all)
    func fetchAfterSubscription(drafts: Drafts) {
        let world = MoQTestWorld(origin: drafts.origin, client: drafts.client)
        let both = zip(
            MoQTestSuite.jobs(runName: "track", fetch: false),
            MoQTestSuite.jobs(runName: "track", fetch: true)
        )
        // Between two drafts every third track is enough to see that all of it is translated.
        let step = drafts.origin == drafts.client ? 1 : 3
        // A draft that cannot say in a fetch that an object was a datagram leaves the relay with nothing to pass on.
        let losesDatagrams = drafts.origin.data.fetchObjectsAreComplete && !drafts.client.data.fetchObjectsAreComplete
        let jobs = both.enumerated().filter { $0.offset % step == 0 }.flatMap { [$0.element.0, $0.element.1] }
            .filter { !losesDatagrams || $0.method == .subscribe || $0.tuple.forwarding != .datagrams }
        world.runThroughRelay(jobs)
        self.expectGood(world, count: jobs.count)
        #expect(world.reports.reduce(0) { $0 + $1.objects } > UInt64(1_000 / step))
        #expect(world.reports.reduce(0) { $0 + $1.markers } > UInt64(20 / step))
    }

    @Test("Without a relay, by subscription, by fetch, and by PUBLISH", arguments: DraftProfile.all)
    func direct(draft: DraftProfile) {
        let world = MoQTestWorld(origin: draft, client: draft)
        let offered = MoQTestSuite.tuples.map { MoQTestJob(tuple: $0, trackName: "offered", method: .publish) }
        let jobs = [false, true].flatMap { MoQTestSuite.jobs(runName: "track", fetch: $0) }
        world.runDirectly(jobs + offered)
        self.expectGood(world, count: 3 * offered.count)
    }

    @Test("A range of an endless track", arguments: DraftProfile.all)
    func endless(draft: DraftProfile) throws {
        let world = MoQTestWorld(origin: draft, client: draft)
        var tuple = MoQTestTuple()
        tuple.frequency = 5
        let far = Location(group: 1 << 50, object: 5)
        let end = Location(group: 1 << 50 + 3, object: 2)
        world.runThroughRelay([
            MoQTestJob(
                tuple: tuple,
                trackName: "endless",
                method: .fetch(from: far, through: .object(end), order: .ascending)
            ),
            MoQTestJob(tuple: tuple, trackName: "live", duration: .seconds(3)),
        ])
        self.expectGood(world, count: 2)
        #expect(world.reports.first?.objects == 28)
        #expect(world.reports.last?.objects ?? 0 > 400)
    }

    @Test("What the origin cannot publish is refused with the reason", arguments: DraftProfile.all)
    func refused(draft: DraftProfile) {
        let world = MoQTestWorld(origin: draft, client: draft)
        var tuple = MoQTestTuple()
        tuple.forwarding = .datagrams
        tuple.firstObjectSize = 2_000
        tuple.lastGroup = 0
        world.runDirectly([MoQTestJob(tuple: tuple, trackName: "large")])
        let mismatch = world.reports.first?.mismatches.first ?? ""
        #expect(mismatch.contains("objects of 2000 bytes do not fit into datagrams"), "\(mismatch)")
    }

    @Test("The delivery timeout comes through the relay", arguments: Drafts.all)
    func timeout(drafts: Drafts) {
        let world = MoQTestWorld(origin: drafts.origin, client: drafts.client)
        var tuple = MoQTestTuple()
        (tuple.lastGroup, tuple.frequency, tuple.deliveryTimeout) = (1, 1, 30_000)
        world.runThroughRelay([MoQTestJob(tuple: tuple, trackName: "timeout")])
        self.expectGood(world, count: 1)
    }

    @Test("A publisher that only accepts is found out: no timeout, no objects, no end", arguments: DraftProfile.all)
    func nothing(draft: DraftProfile) throws {
        let world = MoQTestWorld(origin: draft, client: draft)
        var tuple = MoQTestTuple()
        tuple.lastGroup = 0
        tuple.deliveryTimeout = 500
        world.runDirectly([MoQTestJob(tuple: tuple, trackName: "nothing")], origin: Accepting())
        #expect(
            world.reports.first?.mismatches == [
                "the delivery timeout of the track is none, not 500 ms", "nothing came for 11.0 seconds",
                "group 0 object 0 is missing", "group 0 object 1 is missing", "group 0 object 2 is missing",
                "group 0: more is missing",
            ]
        )
    }
}

/// Accepts every SUBSCRIBE, and publishes nothing.
private final class Accepting: MoQSessionHandler {
    func sessionDidSetUp(_ session: MoQSession) {}
    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) { _ = request.accept() }
    func session(_ session: MoQSession, didReceive request: IncomingPublish) { request.reject() }
    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) { request.reject(.uninterested) }
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) { request.accept() }
    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}
    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
}
