// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// One client of the relay under test. It accepts every SUBSCRIBE unless told otherwise, and remembers what happened.
final class TestClient: MoQSessionHandler {
    private(set) var isSetUp = false
    private(set) var closures: [MoQSessionClosure] = []
    private(set) var goaways: [Duration?] = []
    private(set) var requestGoaways: [SessionGoaway] = []
    /// Every SUBSCRIBE that came.
    private(set) var subscribes: [Subscribe] = []
    /// Every PUBLISH that came.
    private(set) var publishes: [Publish] = []
    /// The tracks this client publishes because it was asked for them, in order of the requests.
    private(set) var tracks: [TestTrack] = []
    /// What becomes of a SUBSCRIBE. By default it is accepted.
    var onSubscribe: ((IncomingSubscribe) -> Void)?
    /// What becomes of a PUBLISH. By default it is refused.
    var onPublish: ((IncomingPublish) -> Void)?
    /// Every FETCH that came.
    private(set) var fetches: [(start: Location, end: FetchEnd, order: GroupOrder)] = []
    /// What becomes of a FETCH. By default it is refused with NOT_SUPPORTED.
    var onFetch: ((IncomingFetch) -> Void)?
    /// What becomes of a TRACK_STATUS. By default it is refused with NOT_SUPPORTED.
    var onTrackStatus: ((IncomingTrackStatus) -> Void)?
    /// What is said about a track when it is accepted.
    var largest: Location?
    var properties = PropertyList()

    let link: InMemoryLink
    let transport: any WebTransportSession
    private var made: MoQSession?

    init(
        transport: any WebTransportSession,
        loop: PacketLoop,
        profile: DraftProfile,
        configuration: MoQSessionConfiguration,
        link: InMemoryLink
    ) {
        self.transport = transport
        self.link = link
        self.made = MoQSession(
            transport: transport,
            loop: loop,
            profile: profile,
            configuration: configuration,
            handler: self
        )
    }

    var session: MoQSession {
        guard let made = self.made else {
            preconditionFailure("the session is made with the client")
        }
        return made
    }

    var isClosed: Bool {
        !self.closures.isEmpty
    }

    // MARK: Requests

    /// Announces a namespace and returns what was answered so far; the box fills when the answer comes.
    func announce(_ path: String) -> Announced {
        let announced = Announced()
        announced.publication = self.session.publishNamespace(TrackNamespace(path: path)) { result in
            announced.results.append(result.map { _ in true })
        }
        return announced
    }

    /// Subscribes to a track.
    func subscribe(
        _ path: String,
        _ name: String = "track",
        filter: SubscriptionFilter? = nil,
        forward: Bool? = nil
    ) -> Subscribed {
        let name = FullTrackName(namespace: TrackNamespace(path: path), name: name)
        return self.subscribe(name, parameters: SubscriptionParameters(forward: forward, filter: filter))
    }

    /// Subscribes to a track.
    func subscribe(_ name: FullTrackName, parameters: SubscriptionParameters = SubscriptionParameters()) -> Subscribed {
        let subscribed = Subscribed()
        subscribed.subscription = self.session.subscribe(
            SubscribeRequest(track: name, parameters: parameters),
            consumer: subscribed.consumer
        ) { result in
            subscribed.results.append(result)
        }
        return subscribed
    }

    /// Offers a track.
    func publish(_ path: String, _ name: String = "track", forward: Bool = false) -> TestTrack {
        let request = PublishRequest(
            track: FullTrackName(namespace: TrackNamespace(path: path), name: name),
            forward: forward,
            largestObject: self.largest,
            properties: self.properties
        )
        let track = TestTrack()
        let publisher = self.session.publish(request) { result in
            track.results.append(result)
        }
        track.use(publisher)
        return track
    }

    /// Follows the namespaces under a prefix.
    func follow(_ path: String) -> Followed {
        let followed = Followed()
        followed.subscription = self.session.subscribeNamespace(
            TrackNamespace(path: path),
            events: { followed.events.append($0) },
            response: { followed.results.append($0.map { _ in true }) }
        )
        return followed
    }

    /// Fetches a range of a track.
    func fetch(
        _ path: String,
        _ name: String = "track",
        from start: Location = Location(group: 0, object: 0),
        through end: FetchEnd,
        parameters: FetchParameters = FetchParameters()
    ) -> Fetched {
        let fetched = Fetched()
        let track = FullTrackName(namespace: TrackNamespace(path: path), name: name)
        fetched.receiver = self.session.fetch(
            FetchRequest(track: track, from: start, through: end, parameters: parameters),
            consumer: fetched
        ) { fetched.results.append($0) }
        return fetched
    }

    /// Counts a track among those that this client was asked for.
    func adopt(_ track: TestTrack) {
        self.tracks.append(track)
    }

    // MARK: MoQSessionHandler

    func sessionDidSetUp(_ session: MoQSession) {
        self.isSetUp = true
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        self.subscribes.append(request.request)
        if let onSubscribe = self.onSubscribe {
            onSubscribe(request)
            return
        }
        let track = TestTrack()
        track.use(request.accept(largest: self.largest, expires: nil, properties: self.properties))
        self.tracks.append(track)
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        self.publishes.append(request.request)
        if let onPublish = self.onPublish {
            onPublish(request)
        } else {
            request.reject(.uninterested, reason: "")
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "")
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        request.reject(.notSupported, reason: "")
    }

    func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        self.fetches.append((request.start, request.end, request.groupOrder))
        if let onFetch = self.onFetch {
            onFetch(request)
        } else {
            request.reject(.notSupported, reason: "")
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        if let onTrackStatus = self.onTrackStatus {
            onTrackStatus(request)
        } else {
            request.reject(.notSupported, reason: "")
        }
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.goaways.append(timeout)
    }

    func session(_ session: MoQSession, didReceiveGoaway goaway: SessionGoaway, for request: RequestID) {
        self.requestGoaways.append(goaway)
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.closures.append(closure)
    }
}

/// An announcement of a test.
final class Announced {
    var publication: NamespacePublication?
    var results: [Result<Bool, MoQError>] = []

    var isAccepted: Bool {
        self.results == [.success(true)]
    }
}

/// A subscription of a test.
final class Subscribed {
    var subscription: Subscription?
    let consumer = RecordingConsumer()
    var results: [Result<SubscribeOk, MoQError>] = []

    /// The one answer, if it was SUBSCRIBE_OK.
    var answer: SubscribeOk? {
        guard self.results.count == 1, case .success(let answer) = self.results[0] else {
            return nil
        }
        return answer
    }

    /// The code of the one answer, if it was REQUEST_ERROR.
    var refusal: RequestErrorCode? {
        guard self.results.count == 1, case .failure(let error) = self.results[0] else {
            return nil
        }
        return error.requestError
    }
}

/// A namespace subscription of a test.
final class Followed {
    var subscription: NamespaceSubscription?
    var events: [NamespaceEvent] = []
    var results: [Result<Bool, MoQError>] = []

    var isAccepted: Bool {
        self.results == [.success(true)]
    }

    var refusal: RequestErrorCode? {
        guard self.results.count == 1, case .failure(let error) = self.results[0] else {
            return nil
        }
        return error.requestError
    }
}
