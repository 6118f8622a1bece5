// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// The publisher's side of one session of the moq-test protocol: announces the protocol's name as a namespace to a relay,
/// and publishes to whoever asks what the namespace of the track describes. (loop)
final class MoQTestOriginPeer: MoQSessionHandler {
    /// What all moq-test namespaces begin with.
    static let prefix = TrackNamespace([MoQTestTuple.protocolName])
    /// The name of a track that is offered with PUBLISH. A subscriber may call it anything.
    static let trackName = "track"

    private let loop: PacketLoop
    private let announces: Bool
    private let events: (PublishingPeer.Event) -> Void
    private var publication: NamespacePublication?
    private var namespaceRequests: [IncomingSubscribeNamespace] = []
    private var pumps: [ObjectIdentifier: MoQTestPump] = [:]
    private var fetches: [ObjectIdentifier: MoQTestFetchPump] = [:]

    /// With `announces` the namespace is announced: relays need that, subscribers do not.
    init(loop: PacketLoop, announces: Bool, events: @escaping (PublishingPeer.Event) -> Void = { _ in }) {
        self.loop = loop
        self.announces = announces
        self.events = events
    }

    /// Ends everything that is being published, before the session is closed.
    func stop() {
        self.publication?.withdraw()
        self.publication = nil
        for pump in self.pumps.values {
            pump.abort()
        }
        for fetch in self.fetches.values {
            fetch.abort()
        }
    }

    func sessionDidSetUp(_ session: MoQSession) {
        guard self.announces else { return }
        let publication = session.publishNamespace(Self.prefix) { [weak self] result in
            switch result {
            case .success: self?.events(.announced)
            case .failure(let error): self?.events(.refused(error.message))
            }
        }
        publication.onCancelled = { [weak self] _, reason in
            self?.events(.refused(reason))
        }
        self.publication = publication
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        let tuple: MoQTestTuple
        do throws(MoQTestTupleError) {
            tuple = try Self.read(request.track.namespace, room: session.transport.maximumDatagramSize)
        } catch {
            request.reject(error.isForeign ? .doesNotExist : .notSupported, reason: error.description)
            return
        }
        self.run(request.accept(properties: Self.properties(for: tuple, in: session.profile)), tuple: tuple)
    }

    func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        do throws(MoQTestTupleError) {
            let tuple = try Self.read(request.track.namespace, room: nil)
            let fetch = MoQTestFetchPump(accepting: request, tuple: tuple, loop: self.loop) { [weak self] fetch in
                self?.fetches[ObjectIdentifier(fetch)] = nil
            }
            self.fetches[ObjectIdentifier(fetch)] = fetch
            fetch.start()
        } catch {
            request.reject(error.isForeign ? .doesNotExist : .notSupported, reason: error.description)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        do throws(MoQTestTupleError) {
            let tuple = try Self.read(request.track.namespace, room: session.transport.maximumDatagramSize)
            request.accept(properties: Self.properties(for: tuple, in: session.profile))
        } catch {
            request.reject(error.isForeign ? .doesNotExist : .notSupported, reason: error.description)
        }
    }

    /// Reports the namespace, and offers the track whose description is the whole prefix ("Publisher Behavior").
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        let tuple = try? Self.read(request.prefix, room: session.transport.maximumDatagramSize)
        guard tuple != nil || Self.prefix.hasPrefix(request.prefix) else {
            request.reject(.doesNotExist, reason: "only \(MoQTestTuple.protocolName) is published here")
            return
        }
        request.accept()
        if request.request.interest != .tracks {
            request.publish(tuple == nil ? Self.prefix : request.prefix)
        }
        self.namespaceRequests.append(request)
        request.onCancelled = { [weak self, weak request] in
            self?.namespaceRequests.removeAll { $0 === request }
        }
        if let tuple, request.request.interest != .namespaces {
            self.offer(tuple, named: request.prefix, forward: request.request.forward ?? true, in: session)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        request.reject(.uninterested, reason: "this side only publishes")
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        request.reject(.uninterested, reason: "this side only publishes")
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.events(.goingAway)
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.publication = nil
        self.namespaceRequests = []
        self.events(.closed(closure))
    }

    private func offer(_ tuple: MoQTestTuple, named namespace: TrackNamespace, forward: Bool, in session: MoQSession) {
        let request = PublishRequest(
            track: FullTrackName(namespace: namespace, name: Self.trackName),
            forward: forward,
            properties: Self.properties(for: tuple, in: session.profile)
        )
        let offered = Offered()
        offered.publisher = session.publish(request) { [weak self] result in
            if case .success = result, let publisher = offered.publisher {
                self?.run(publisher, tuple: tuple)
            }
            offered.publisher = nil
        }
    }

    /// Holds an offer until it is answered.
    private final class Offered {
        var publisher: TrackPublisher?
    }

    private func run(_ publisher: TrackPublisher, tuple: MoQTestTuple) {
        let pump = MoQTestPump(publisher, tuple: tuple, loop: self.loop) { [weak self] pump in
            self?.pumps[ObjectIdentifier(pump)] = nil
        }
        self.pumps[ObjectIdentifier(pump)] = pump
        pump.start()
    }

    /// Reads a namespace, and checks that its objects fit into datagrams where they have to. `room` is how large a
    /// datagram may be; nil when it does not matter.
    private static func read(_ namespace: TrackNamespace, room: Int?) throws(MoQTestTupleError) -> MoQTestTuple {
        let tuple = try MoQTestTuple(namespace)
        guard tuple.forwarding == .datagrams, let room else {
            return tuple
        }
        let largest = max(tuple.firstObjectSize, tuple.otherObjectSize)
        guard Int(clamping: largest) + MoQTestContent.maximumDatagramOverhead <= room else {
            throw MoQTestTupleError(description: "objects of \(largest) bytes do not fit into datagrams of \(room)")
        }
        return tuple
    }

    /// The properties of the track: the delivery timeout, if there is one.
    private static func properties(for tuple: MoQTestTuple, in profile: DraftProfile) -> PropertyList {
        let pair = tuple.deliveryTimeout.flatMap {
            KeyValuePair(type: PropertyType.objectDeliveryTimeout, integer: $0)
        }
        return pair.flatMap { try? PropertyList([$0], coding: profile.coding) } ?? PropertyList()
    }
}
