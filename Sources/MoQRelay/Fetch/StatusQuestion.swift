// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// One TRACK_STATUS of the relay, for any number of the same of its subscribers. (loop)
///
/// A publisher that does not have the track is followed by the next one.
///
/// That there is one at a time about each track also bounds what a ring of relays can do that do not recognise it: the
/// question waits for itself until its time is over, instead of going round.
final class StatusQuestion {
    /// What is asked, and who may be.
    struct Key: Hashable {
        let name: FullTrackName
        let reach: Reach
    }

    private let key: Key
    /// Who can still be asked, the one that is next first.
    private var sources: [RelayPeer]
    private weak var relay: MoQRelay?
    private var waiting: [IncomingTrackStatus] = []
    private var query: TrackStatusQuery?
    private var timer: LoopTimer?

    init(_ key: Key, sources: [RelayPeer], relay: MoQRelay) {
        self.key = key
        self.sources = sources
        self.relay = relay
    }

    /// Asks for one more subscriber.
    func ask(for request: IncomingTrackStatus) {
        self.waiting.append(request)
        request.onCancelled = { [weak self, weak request] in
            self?.waiting.removeAll { $0 === request }
            if self?.waiting.isEmpty == true {
                self?.finish()
            }
        }
        guard self.query == nil, let relay = self.relay else {
            return
        }
        self.timer = relay.loop.schedule(after: relay.configuration.upstreamResponseTimeout) { [weak self] in
            guard let self else {
                return
            }
            self.relay?.ledger.counters.upstreamTimeouts &+= 1
            for request in self.finish() {
                request.reject(.timeout, reason: "the publisher does not answer")
            }
        }
        if !self.askNext() {
            for request in self.finish() {
                request.reject(.doesNotExist, reason: "nobody publishes the track")
            }
        }
    }

    /// Asks the next one that can be asked. Returns false when there is none.
    private func askNext() -> Bool {
        self.sources.removeAll { !$0.session.isOpen }
        guard !self.sources.isEmpty else {
            return false
        }
        let source = self.sources.removeFirst()
        self.query = source.session.trackStatus(of: self.key.name) { [weak self] result in
            self?.answered(result)
        }
        return true
    }

    private func answered(_ result: Result<RequestOk, MoQError>) {
        guard self.query != nil else {
            return
        }
        if case .failure(let error) = result, error.requestError == .doesNotExist, self.askNext() {
            return
        }
        for request in self.finish() {
            switch result {
            case .success(let ok):
                request.accept(largest: ok.largestObject, properties: ok.properties)
            case .failure(let error):
                request.reject(TrackForwarder.downstreamCode(for: error), reason: error.message)
            }
        }
    }

    /// The question is over; who waited for it is returned.
    @discardableResult
    private func finish() -> [IncomingTrackStatus] {
        self.timer?.cancel()
        self.timer = nil
        let waiting = self.waiting
        self.waiting = []
        for request in waiting {
            request.onCancelled = nil
        }
        let query = self.query
        self.query = nil
        if self.relay?.questions[self.key] === self {
            self.relay?.questions[self.key] = nil
        }
        query?.cancel()
        return waiting
    }
}
