// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// The application on top of a session: asks, answers, and publishes as the script says, and watches what it is told.
final class ScriptApplication: MoQSessionHandler {
    private let findings: SessionFindings
    private let answersAtOnce: Bool
    private(set) var closures: [MoQSessionClosure] = []
    private(set) var hasClosed = false
    private var tracks: [TrackWitness] = []
    private var fetches: [FetchWitness] = []
    private var namespaces: [RequestWitness] = []
    private var plain: [RequestWitness] = []
    private var subscriptions: [Subscription] = []
    private var receivers: [FetchReceiver] = []
    private var publishers: [TrackPublisher] = []
    private var fetchPublishers: [FetchPublisher] = []
    private var publications: [NamespacePublication] = []
    private var feeds: [NamespaceSubscription] = []
    private var queries: [TrackStatusQuery] = []
    private var pending: [(Bool) -> Void] = []
    private var incomingFeeds: [IncomingSubscribeNamespace] = []
    private var announcements: [IncomingPublishNamespace] = []

    init(_ findings: SessionFindings, answersAtOnce: Bool) {
        self.findings = findings
        self.answersAtOnce = answersAtOnce
    }

    static let names = ["t", "u", "v", "w"]

    static func track(_ index: Int) -> FullTrackName {
        FullTrackName(namespace: TrackNamespace(path: "demo/ts"), name: names[index % names.count])
    }

    static func namespace(_ index: Int) -> TrackNamespace {
        TrackNamespace(path: ["demo", "demo/ts", "demo/ts/x", "other"][index % 4])
    }

    // MARK: What the application does

    func subscribe(_ session: MoQSession, _ input: inout FuzzInput) {
        let witness = TrackWitness("a subscription", self.findings)
        self.tracks.append(witness)
        let filters: [SubscriptionFilter?] = [
            nil, .nextObject, .nextGroup, .absoluteStart(Location(group: 2, object: 1)),
            .absoluteRange(start: Location(group: 1, object: 0), endGroup: 4),
        ]
        let parameters = SubscriptionParameters(
            subscriberPriority: input.byte(),
            forward: input.byte() & 1 == 0,
            filter: filters[input.choice(filters.count)]
        )
        let request = SubscribeRequest(track: Self.track(input.choice(4)), parameters: parameters)
        self.subscriptions.append(session.subscribe(request, consumer: witness) { witness.respond($0) })
    }

    func fetch(_ session: MoQSession, _ input: inout FuzzInput) {
        let witness = FetchWitness("a fetch", self.findings)
        let parameters = FetchParameters(groupOrder: input.byte() & 1 == 0 ? .ascending : .descending)
        let joins = input.byte() & 1 == 1
        if joins, let subscription = self.subscriptions.last {
            self.fetches.append(witness)
            self.receivers.append(
                subscription.fetch(
                    from: .groupsBack(UInt64(input.choice(4))),
                    parameters: parameters,
                    consumer: witness
                ) {
                    witness.respond($0)
                }
            )
            return
        }
        let request = FetchRequest(
            track: Self.track(input.choice(4)),
            from: Location(group: UInt64(input.choice(4)), object: UInt64(input.choice(4))),
            through: .group(UInt64(input.byte())),
            parameters: parameters
        )
        self.fetches.append(witness)
        self.receivers.append(session.fetch(request, consumer: witness) { witness.respond($0) })
    }

    func publish(_ session: MoQSession, _ input: inout FuzzInput) {
        let witness = RequestWitness("an offer", self.findings)
        self.plain.append(witness)
        let request = PublishRequest(track: Self.track(input.choice(4)), forward: input.byte() & 1 == 0)
        self.publishers.append(session.publish(request) { witness.respond($0) })
    }

    func askAround(_ session: MoQSession, _ input: inout FuzzInput) {
        let kind = input.choice(4)
        let name = Self.namespace(input.choice(4))
        switch kind {
        case 0:
            let witness = RequestWitness("an announcement", self.findings)
            self.plain.append(witness)
            self.publications.append(session.publishNamespace(name) { witness.respond($0) })
        case 1, 2:
            let witness = RequestWitness("a namespace subscription", self.findings)
            self.namespaces.append(witness)
            let events: (NamespaceEvent) -> Void = { event in
                if case .ended = event { witness.end() } else { witness.expectLive("a namespace") }
            }
            self.feeds.append(
                kind == 1
                    ? session.subscribeNamespace(name, events: events) { witness.respond($0) }
                    : session.subscribeTracks(name, events: events) { witness.respond($0) }
            )
        default:
            let witness = RequestWitness("a question", self.findings)
            self.plain.append(witness)
            self.queries.append(session.trackStatus(of: Self.track(input.choice(4))) { witness.respond($0) })
        }
    }

    func change(_ input: inout FuzzInput) {
        switch input.choice(10) {
        case 0: self.subscriptions.popLast()?.cancel()
        case 1: self.subscriptions.last?.pause()
        case 2: self.subscriptions.last?.resume()
        case 3:
            let witness = RequestWitness("an update", self.findings)
            self.plain.append(witness)
            guard let subscription = self.subscriptions.last else {
                witness.accepted()
                return
            }
            subscription.update(forward: input.byte() & 1 == 0, priority: input.byte()) { witness.respond($0) }
        case 4: self.receivers.popLast()?.cancel()
        case 5: if input.byte() & 1 == 0 { self.receivers.last?.pause() } else { self.receivers.last?.resume() }
        case 6: self.publications.popLast()?.withdraw()
        case 7: self.feeds.popLast()?.cancel()
        case 8: self.queries.popLast()?.cancel()
        default: self.announcements.popLast()?.cancel(.internalError)
        }
    }

    /// Answers a request of the peer that was kept, or lets go of it.
    func answer(_ input: inout FuzzInput) {
        let choice = input.byte()
        guard !self.pending.isEmpty else {
            return
        }
        let answer = self.pending.remove(at: Int(choice >> 2) % self.pending.count)
        if choice & 3 != 0 {
            answer(choice & 3 != 1)
        }
    }

    func write(_ input: inout FuzzInput) {
        let choice = input.choice(6)
        let group = UInt64(input.choice(6))
        let payload = [UInt8](repeating: 7, count: Int(input.byte()) * 8)
        switch choice {
        case 0, 1:
            guard let publisher = self.publishers.last,
                let consumer = publisher.beginSubgroup(
                    SubgroupDescription(group: group, subgroup: UInt64(input.choice(3)))
                )
            else {
                return
            }
            for id in 0..<UInt64(input.choice(4)) {
                consumer.beginObject(ObjectHeader(objectID: id, payloadLength: UInt64(payload.count)))
                if !payload.isEmpty {
                    consumer.receive(payload: Bytes(payload))
                }
            }
            if choice == 0 { consumer.finish() } else { consumer.reset(.cancelled) }
        case 2:
            let datagram = ObjectDatagram(trackAlias: TrackAlias(0), groupID: group, objectID: 1)
            self.publishers.last?.receive(datagram, payload: Bytes(payload))
        case 3:
            self.publishers.popLast()?.end()
        case 4:
            guard let publisher = self.fetchPublishers.last else {
                return
            }
            publisher.beginObject(
                FetchObjectHeader(
                    location: Location(group: group, object: UInt64(input.choice(4))),
                    subgroupID: 0,
                    publisherPriority: 128,
                    payloadLength: UInt64(payload.count)
                )
            )
            if !payload.isEmpty {
                publisher.receive(payload: Bytes(payload))
            }
        default:
            if input.byte() & 1 == 0 {
                self.fetchPublishers.popLast()?.finish()
            } else {
                self.incomingFeeds.last?.publish(Self.namespace(input.choice(4)))
                self.incomingFeeds.last?.withdraw(Self.namespace(input.choice(4)))
            }
        }
    }

    func close(_ session: MoQSession, _ input: inout FuzzInput) {
        switch input.choice(4) {
        case 0: session.sendGoaway()
        case 1: session.sendGoaway(newSessionURI: "moqt://example.net/", timeout: .milliseconds(200))
        case 2:
            self.incomingFeeds.popLast()?.end()
        default:
            self.hasClosed = true
            session.close()
        }
    }

    // MARK: What the application is told

    func sessionDidSetUp(_ session: MoQSession) {
        self.findings.expect(self.closures.isEmpty, "set up after the close")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        self.take { accepts in
            if accepts {
                self.publishers.append(request.accept(largest: Location(group: 3, object: 2)))
            } else {
                request.reject(.doesNotExist)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        self.take { accepts in
            if accepts {
                let witness = TrackWitness("an accepted offer", self.findings)
                witness.accepted()
                self.tracks.append(witness)
                self.subscriptions.append(request.accept(consumer: witness))
            } else {
                request.reject()
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        self.take { accepts in
            if accepts {
                request.accept()
                self.announcements.append(request)
            } else {
                request.reject(.unauthorized)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        self.take { accepts in
            if accepts {
                request.accept()
                request.publish(request.prefix.appending(TrackNamespace(path: "x")))
                self.incomingFeeds.append(request)
            } else {
                request.reject(.unauthorized)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        self.take { accepts in
            if accepts {
                self.fetchPublishers.append(request.accept(largest: Location(group: 3, object: 2)))
            } else {
                request.reject(.doesNotExist)
            }
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        self.take { accepts in
            if accepts { request.accept(largest: Location(group: 3, object: 2)) } else { request.reject(.doesNotExist) }
        }
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.findings.expect(self.closures.isEmpty, "GOAWAY after the close")
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.closures.append(closure)
    }

    private func take(_ answer: @escaping (Bool) -> Void) {
        self.findings.expect(self.closures.isEmpty, "a request after the close")
        if self.answersAtOnce {
            answer(true)
        } else {
            self.pending.append(answer)
        }
    }

    // MARK: The end

    /// The session is over, and everything must have been told.
    func conclude() {
        self.findings.expect(self.closures.count == 1, "the end was told \(self.closures.count) times")
        for witness in self.tracks + self.fetches + self.namespaces {
            witness.conclude(mustEnd: true)
        }
        for witness in self.plain {
            witness.conclude(mustEnd: false)
        }
    }

    /// Lets go of everything, so that the session can.
    func release() {
        self.pending = []
        self.subscriptions = []
        self.receivers = []
        self.publishers = []
        self.fetchPublishers = []
        self.publications = []
        self.feeds = []
        self.queries = []
        self.incomingFeeds = []
        self.announcements = []
    }
}
