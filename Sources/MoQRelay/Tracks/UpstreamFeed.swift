// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport

/// One source of a track: the relay's own subscription on a publisher's session. (loop)
///
/// ```
///   pending ── established() ──► established ── detach() or the publisher ends it ──► over
///      └──────────────────────── detach() or refused ─────────────────────────────────▲
/// ```
///
/// The publisher is told what the forwarder wants by one REQUEST_UPDATE at a time: however often subscribers come and go
/// while an answer is on its way, one further update follows at most.
final class UpstreamFeed: TrackConsumer {
    /// How the subscription began, and so what becomes of it when nobody is left to forward to.
    enum Origin {
        /// The relay sent SUBSCRIBE. It is cancelled when the last subscriber leaves.
        case subscribed
        /// The publisher sent PUBLISH. It stays, with forward state 0.
        case published
    }

    /// How far it is.
    enum State {
        case pending
        case established
        case over
    }

    let origin: Origin
    let owner: RelayPeer
    private(set) var state = State.pending
    /// The first group that the publisher brings from its beginning, when others had the track before; nil when none had.
    var firstWholeGroup: UInt64?
    /// How long an upstream relay was asked to wait for a publisher, if it was.
    var patience: Duration?
    private weak var forwarder: TrackForwarder?
    private var subscription: Subscription?
    /// Runs while a SUBSCRIBE of the relay is unanswered, or before it is repeated.
    private var timer: LoopTimer?
    private var wantsForward: Bool
    private var sentForward: Bool
    /// The NEW_GROUP_REQUEST that is to be sent.
    private var wantedGroup: UInt64?
    /// The one that was sent, and the largest group at that time: it is outstanding until that increases.
    private var askedGroup: (value: UInt64, largest: UInt64?)?
    private var isUpdating = false
    private var isPaused = false
    private var isRetryScheduled = false

    /// How long an update waits that the peer permits no request for.
    private static let retryInterval = Duration.milliseconds(100)

    init(origin: Origin, owner: RelayPeer, forwarder: TrackForwarder, forward: Bool) {
        self.origin = origin
        self.owner = owner
        self.forwarder = forwarder
        self.wantsForward = forward
        self.sentForward = forward
    }

    /// Hands over the session's handle. It may come after the answer, when the session answers from within the call.
    func adopt(_ subscription: Subscription) {
        guard self.state != .over else {
            subscription.cancel()
            return
        }
        self.subscription = subscription
        if self.isPaused, !self.owner.isSibling {
            subscription.pause()
        }
        self.synchronize()
    }

    /// The SUBSCRIBE failed, and another one follows.
    func subscriptionFailed() {
        self.subscription = nil
    }

    /// Calls `body` after so long, unless the answer comes or the feed ends before.
    func startTimer(_ duration: Duration, on loop: PacketLoop, _ body: @escaping () -> Void) {
        self.stopTimer()
        self.timer = loop.schedule(after: duration, body)
    }

    /// Ends the wait.
    func stopTimer() {
        self.timer?.cancel()
        self.timer = nil
    }

    /// The publisher accepted, or its offer was accepted.
    func established() {
        guard self.state == .pending else {
            return
        }
        self.state = .established
        self.askedGroup?.largest = self.forwarder?.largest?.group
        if self.isPaused {
            self.tellSiblingOfLag(true)
        }
        self.synchronize()
    }

    /// Turns the flow of objects on or off.
    func setForward(_ forward: Bool) {
        self.wantsForward = forward
        self.synchronize()
    }

    /// Whether the publisher's draft has NEW_GROUP_REQUEST.
    var hasGroupRequests: Bool {
        self.owner.session.profile.parameters.contains { $0.name == .newGroupRequest }
    }

    /// The SUBSCRIBE that is sent asks for a new group.
    func groupRequested(_ value: UInt64?) {
        self.askedGroup = value.map { ($0, nil) }
    }

    /// Asks the publisher for a new group, unless that was done already and nothing has come of it yet
    /// (draft-18 §10.2.13, "NEW GROUP REQUEST Parameter"). `largest` is the largest group of the track.
    func requestGroup(_ value: UInt64, largest: UInt64?) {
        guard self.hasGroupRequests else {
            return
        }
        if let asked = self.askedGroup, asked.largest == largest, asked.value >= value {
            return
        }
        self.wantedGroup = max(self.wantedGroup ?? 0, value)
        self.synchronize()
    }

    /// Lets the publisher's streams fill up, or go on. Another shard is told instead: it has other subscribers, and its
    /// session carries other tracks.
    func setPaused(_ paused: Bool) {
        guard self.isPaused != paused, self.state != .over else {
            return
        }
        self.isPaused = paused
        guard !self.owner.isSibling else {
            self.tellSiblingOfLag(paused)
            return
        }
        if paused {
            self.subscription?.pause()
        } else {
            self.subscription?.resume()
        }
    }

    private func tellSiblingOfLag(_ lags: Bool) {
        if let track = self.forwarder?.name {
            self.owner.sibling?.tellLagging(track, lags)
        }
    }

    /// Ends the subscription from this side. The forwarder hears nothing more.
    func detach() {
        guard self.state != .over else {
            return
        }
        let subscription = self.end()
        subscription?.cancel()
    }

    /// Ends the feed without telling the publisher, which ended it itself.
    @discardableResult
    func end() -> Subscription? {
        self.state = .over
        self.forwarder = nil
        self.stopTimer()
        defer {
            self.subscription = nil
        }
        return self.subscription
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.forwarder?.beginSubgroup(subgroup, from: self)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        self.forwarder?.receive(datagram, payload: payload, from: self)
    }

    func trackEnded(_ end: TrackEnd) {
        guard self.state != .over, let forwarder = self.forwarder else {
            return
        }
        let wasPending = self.state == .pending
        self.end()
        if wasPending {
            forwarder.forget(self)
            forwarder.publisherFailed(.internalError, reason: "the publisher is gone")
        } else {
            forwarder.upstreamEnded(self, end: end)
        }
    }

    private func synchronize() {
        let forward = self.wantsForward == self.sentForward ? nil : self.wantsForward
        let group = self.wantedGroup
        guard self.state == .established, !self.isUpdating, !self.isRetryScheduled, forward != nil || group != nil,
            let subscription = self.subscription
        else {
            return
        }
        self.isUpdating = true
        self.sentForward = self.wantsForward
        self.wantedGroup = nil
        if let group {
            self.askedGroup = (group, self.forwarder?.largest?.group)
        }
        subscription.update(forward: forward, newGroupRequest: group) { [weak self] result in
            guard let self else {
                return
            }
            self.isUpdating = false
            switch result {
            case .success(let answer):
                if let largest = answer.largestObject {
                    self.forwarder?.observed(largest)
                }
                self.synchronize()
            case .failure(let error) where error.code == .requestLimit:
                // The update was not sent: the peer permits no request at the moment.
                if let forward {
                    self.sentForward = !forward
                }
                if let group {
                    self.askedGroup = nil
                    self.wantedGroup = max(self.wantedGroup ?? 0, group)
                }
                self.retryLater()
            case .failure:
                // A refused update ends the subscription (draft-18 §10.9.1), which arrives as the end of the track;
                // asking again would change nothing.
                break
            }
        }
    }

    private func retryLater() {
        guard !self.isRetryScheduled, let subscription = self.subscription else {
            return
        }
        self.isRetryScheduled = true
        _ = subscription.session.loop.schedule(after: Self.retryInterval) { [weak self] in
            self?.isRetryScheduled = false
            self?.synchronize()
        }
    }
}
