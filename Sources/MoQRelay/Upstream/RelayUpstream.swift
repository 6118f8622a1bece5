// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQ
public import MoQWire
import PacketLoop
public import WebTransport

/// A relay above this one, which is asked for what nobody here publishes, and how the session with it is got, and got again
/// after it was lost. (loop)
///
/// ```
///                        ┌──────────── the connection, or the session, is lost ───────────────┐
///                        │                       │                        │                   │
///                        ▼                       │                        │                   │
///   connecting ◄── waiting(backoff)          settingUp ──► checking for a ring ──► ready ─────┘
///       │                ▲                       ▲                  │
///       ├─── failed() ───┤                       │                  └── a ring: closed, waiting
///       └─── connected() ┼───────────────────────┘
///                        └──► stopped, from everywhere
/// ```
///
/// A relay that goes away and says where to go instead (GOAWAY with a URI) is left for that one: the old session stays until
/// the new one is ready and has taken over what came from it.
///
/// Made by ``MoQRelay/addUpstream(name:session:backoff:onEvent:dial:)``. How to connect is its caller's business: `dial` is called
/// for each attempt, and has to see to it that ``connected(_:profile:configuration:)`` or ``failed(_:)`` is called, once.
public final class RelayUpstream {
    /// What happened, for who wants to tell people.
    public enum Event: Hashable, Sendable {
        /// The upstream relay can be asked from now on.
        case ready(DraftVersion)
        /// There is no connection, for this reason, and the next attempt comes after so long.
        case unreachable(reason: String, retryAfter: Duration)
        /// The connection was lost.
        case lost(reason: String, retryAfter: Duration)
        /// The upstream relay leads back to this one, so that it is not used.
        case circular(retryAfter: Duration)
    }

    private enum State {
        case connecting
        case settingUp(RelayPeer)
        case checking(RelayPeer, LoopCheck)
        case ready(RelayPeer)
        /// The session is being closed because it leads back here.
        case circular
        case waiting(LoopTimer)
        case stopped
    }

    /// What the upstream relay is called in reasons and logs.
    public let name: String
    /// The URI that the upstream relay said to connect to instead; nil for the one that was configured. Whoever dials uses it.
    /// When it leads nowhere, the configured one is tried again. (loop)
    public private(set) var redirect: String?
    /// Called with everything that happens, on the loop. Must not call back.
    var onEvent: ((Event) -> Void)?

    private weak var relay: MoQRelay?
    private let loop: PacketLoop
    private let configuration: MoQSessionConfiguration
    private let dial: (RelayUpstream) -> Void
    private var backoff: ReconnectBackoff
    private var generator = SystemRandomNumberGenerator()
    private var state = State.stopped
    /// What the upstream relay is told and asked, while it can be.
    private var outreach: RelayOutreach?
    /// The same in the session that is being left for another one.
    private var leaving: RelayOutreach?

    init(
        name: String,
        relay: MoQRelay,
        session: MoQSessionConfiguration,
        backoff: ReconnectBackoff,
        dial: @escaping (RelayUpstream) -> Void
    ) {
        self.name = name
        self.relay = relay
        self.loop = relay.loop
        self.configuration = session
        self.backoff = backoff
        self.dial = dial
    }

    // MARK: Connecting

    /// Makes the first attempt.
    func start() {
        guard case .stopped = self.state else {
            return
        }
        self.connect()
    }

    private func connect() {
        self.state = .connecting
        self.dial(self)
    }

    /// An attempt succeeded: makes the session, with the relay as handler, and starts it. (loop)
    ///
    /// - Parameters:
    ///   - transport: the connection.
    ///   - profile: the draft that is spoken.
    ///   - configuration: what the session is configured with, if otherwise than all.
    /// - Returns: the session, which the relay keeps until it closes; nil when the connection is not wanted any more, and
    ///   was closed.
    @discardableResult
    public func connected(
        _ transport: any WebTransportSession,
        profile: DraftProfile,
        configuration: MoQSessionConfiguration? = nil
    ) -> MoQSession? {
        guard case .connecting = self.state, let relay = self.relay else {
            transport.close(code: SessionErrorCode.noError.wireValue(in: profile), reason: "not wanted any more")
            return nil
        }
        let session = MoQSession(
            transport: transport,
            loop: self.loop,
            profile: profile,
            configuration: configuration ?? self.configuration,
            handler: relay
        )
        self.state = .settingUp(relay.register(session, as: .upstream(self)))
        session.start()
        return session
    }

    /// An attempt failed, for a reason that is told to people. (loop)
    public func failed(_ reason: String) {
        guard case .connecting = self.state else {
            return
        }
        self.relay?.ledger.counters.upstreamFailures &+= 1
        self.redirect = nil
        let delay = self.tryLater()
        self.onEvent?(.unreachable(reason: reason, retryAfter: delay))
    }

    private func tryLater() -> Duration {
        let delay = self.backoff.failed(at: self.loop.now, using: &self.generator)
        self.state = .waiting(
            self.loop.schedule(after: delay) { [weak self] in
                self?.connect()
            }
        )
        return delay
    }

    /// Makes no further attempt. A session that stands goes on.
    func stop() {
        switch self.state {
        case .waiting(let timer): timer.cancel()
        case .checking(_, let check): check.cancel()
        case .connecting, .settingUp, .ready, .circular, .stopped: break
        }
        self.state = .stopped
    }

    // MARK: The session

    /// The session can be used: before it is, it is checked for a ring.
    func sessionDidSetUp() {
        guard case .settingUp(let peer) = self.state else {
            return
        }
        let check = LoopCheck(on: peer.session) { [weak self] in
            self?.becomeReady()
        }
        self.state = .checking(peer, check)
    }

    private func becomeReady() {
        // A session that closes ends its requests first.
        guard case .checking(let peer, _) = self.state, peer.session.isOpen, let relay = self.relay else {
            return
        }
        self.state = .ready(peer)
        self.backoff.connected(at: self.loop.now)
        relay.ledger.counters.upstreamConnects &+= 1
        self.outreach = RelayOutreach(to: peer, named: self.name, of: relay, asks: true)
        self.onEvent?(.ready(peer.session.profile.version))
        relay.upstreamBecameReady(self, peer)
        if let old = self.leaving?.peer {
            for name in Array(old.upstreams.keys) {
                relay.tracks[name]?.publisherAppeared(peer)
            }
            relay.closeIfLeft(old)
        }
    }

    /// The upstream relay goes away, and says where to go instead. Returns whether that is followed.
    func moves(to uri: String, from peer: RelayPeer) -> Bool {
        guard let relay = self.relay else {
            return false
        }
        switch self.state {
        case .ready(let current) where current === peer && self.leaving == nil:
            break
        case .checking(let current, let check) where current === peer && self.leaving == nil && self.redirect == nil:
            // It did not even wait to be asked. A second relay that does the same is not followed, but left for a while.
            check.cancel()
        case .ready, .checking, .connecting, .settingUp, .circular, .waiting, .stopped:
            return false
        }
        self.redirect = uri
        self.outreach?.leavePublications()
        self.leaving = self.outreach ?? RelayOutreach(to: peer, named: self.name, of: relay, asks: false)
        self.outreach = nil
        self.connect()
        return true
    }

    /// Whether this is the track by which the upstream relay is being checked.
    func isChecking(by name: FullTrackName) -> Bool {
        guard case .checking(_, let check) = self.state else {
            return false
        }
        return check.name == name
    }

    /// The request that went to the upstream relay came back: nothing must go there.
    func cameAround() {
        guard case .checking(let peer, let check) = self.state else {
            return
        }
        check.cancel()
        self.state = .circular
        self.relay?.ledger.counters.upstreamLoops &+= 1
        peer.session.close(.noError, reason: "the relay that was connected to leads back to the one that connected")
    }

    /// A session has closed, and everything that it brought was taken out.
    func sessionDidClose(of peer: RelayPeer, _ reason: String) {
        if let old = self.leaving, old.peer === peer {
            self.leaving = nil
            old.close()
            return
        }
        self.outreach?.close()
        self.outreach = nil
        switch self.state {
        case .settingUp, .ready:
            break
        case .checking(_, let check):
            check.cancel()
        case .circular:
            self.backoff.giveUpHope()
            let delay = self.tryLater()
            self.onEvent?(.circular(retryAfter: delay))
            return
        case .connecting, .waiting, .stopped:
            return
        }
        self.relay?.ledger.counters.upstreamFailures &+= 1
        self.redirect = nil
        let delay = self.tryLater()
        self.onEvent?(.lost(reason: reason, retryAfter: delay))
    }

    /// The session that can be asked for tracks of a namespace; nil when there is none at the moment.
    func source(of namespace: TrackNamespace) -> RelayPeer? {
        let peer: RelayPeer
        switch self.state {
        case .ready(let ready):
            peer = ready
        case .checking(let checked, _) where namespace == LoopCheck.namespace:
            // So that of two relays that are about to close a ring at least one sees its request again.
            peer = checked
        case .checking, .connecting, .settingUp, .circular, .waiting, .stopped:
            return nil
        }
        return !peer.isGoingAway && peer.session.isOpen ? peer : nil
    }

    // MARK: What the upstream relay is asked and told

    /// A client follows a prefix.
    func follow(_ feed: NamespaceFeed) {
        self.outreach?.follow(feed)
    }

    /// A client follows a prefix no more, and is not in the relay's table under it.
    func unfollow(_ prefix: TrackNamespace, _ feed: NamespaceFeed) {
        self.outreach?.unfollow(prefix, feed)
    }

    /// A namespace has a publisher here.
    func announce(_ namespace: TrackNamespace) {
        self.outreach?.announce(namespace)
    }

    /// A namespace has no publisher here any more.
    func withdraw(_ namespace: TrackNamespace) {
        self.outreach?.withdraw(namespace)
    }
}
