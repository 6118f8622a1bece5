// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// Publishes a track of numbered objects under the namespace `live`, from the first subscription on, and answers FETCH for
/// everything that it would have published before. (loop)
final class NumberedTrack: MoQSessionHandler {
    static let name = FullTrackName(namespace: TrackNamespace(["live"]), name: "numbers")

    /// What is published.
    struct Plan: Sendable {
        /// Objects per group.
        var groupSize: UInt64
        /// The number of the first object that is sent live; those before it can be fetched.
        var first: UInt64 = 0
        /// The number after the last one.
        var end: UInt64
        /// The time between two objects; zero sends them all at once.
        var interval = Duration.zero
        /// Whether the track ends behind the last object.
        var endsTrack = false

        /// The object with this number.
        func object(_ number: UInt64) -> ReceivedObject {
            let location = Location(group: number / self.groupSize, object: number % self.groupSize)
            let size = 100 + Int(number % 200)
            let payload = (0..<size).map { UInt8(truncatingIfNeeded: number &* 31 &+ UInt64($0)) }
            return ReceivedObject(location: location, payload: payload)
        }

        /// All objects, those before the first live one included.
        var objects: [ReceivedObject] {
            (0..<self.end).map(self.object)
        }
    }

    private let loop: PacketLoop
    private let plan: Plan
    private let journal: Journal
    private var publisher: TrackPublisher?
    private var stream: (any SubgroupConsumer)?
    private var next: UInt64
    private var began: LoopInstant?

    init(loop: PacketLoop, plan: Plan, journal: Journal) {
        self.loop = loop
        self.plan = plan
        self.journal = journal
        self.next = plan.first
    }

    func sessionDidSetUp(_ session: MoQSession) {
        session.publishNamespace(Self.name.namespace) { [journal] result in
            if case .success = result {
                journal.note { $0.announcements += 1 }
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        self.publisher = request.accept()
        self.began = self.loop.now
        self.send()
    }

    func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        self.journal.note { $0.fetches += 1 }
        guard let largest = self.plan.objects.prefix(Int(self.next)).last?.location else {
            request.reject(.doesNotExist)
            return
        }
        let publisher = request.accept(largest: largest)
        for object in self.plan.objects.prefix(Int(self.next)) where !publisher.isEnded {
            guard object.location >= request.start, object.location <= request.end.location else {
                continue
            }
            publisher.beginObject(
                FetchObjectHeader(
                    location: object.location,
                    subgroupID: 0,
                    publisherPriority: 128,
                    payloadLength: UInt64(object.payload.count)
                )
            )
            publisher.receive(payload: Bytes(object.payload))
        }
        publisher.finish()
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {}
    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {}
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {}
    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.publisher = nil
        self.stream = nil
    }

    /// Sends what is due, and comes back when more is.
    private func send() {
        guard let publisher = self.publisher, let began = self.began else {
            return
        }
        while self.next < self.plan.end {
            let due = began.advanced(by: self.plan.interval * Int(self.next - self.plan.first))
            guard self.loop.now >= due else {
                self.loop.schedule(at: due) { [weak self] in
                    self?.send()
                }
                return
            }
            self.send(self.plan.object(self.next), to: publisher)
            self.next += 1
        }
        if self.plan.endsTrack {
            publisher.end()
        }
    }

    private func send(_ object: ReceivedObject, to publisher: TrackPublisher) {
        if object.location.object == 0 {
            let group = SubgroupDescription(group: object.location.group, containsEndOfGroup: true)
            self.stream = publisher.beginSubgroup(group)
        }
        self.stream?.beginObject(
            ObjectHeader(objectID: object.location.object, payloadLength: UInt64(object.payload.count))
        )
        self.stream?.receive(payload: Bytes(object.payload))
        if object.location.object == self.plan.groupSize - 1 {
            self.stream?.finish()
            self.stream = nil
        }
    }
}
