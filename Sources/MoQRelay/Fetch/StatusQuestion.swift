// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// One TRACK_STATUS of the relay, for any number of the same of its subscribers. (loop)
///
/// That there is one at a time about each track also bounds what a ring of relays can do that do not recognise it: the
/// question waits for itself until its time is over, instead of going round.
final class StatusQuestion {
    /// What is asked, and whom.
    struct Key: Hashable {
        let name: FullTrackName
        let source: ObjectIdentifier
    }

    private let key: Key
    private let source: RelayPeer
    private weak var relay: MoQRelay?
    private var waiting: [IncomingTrackStatus] = []
    private var query: TrackStatusQuery?
    private var timer: LoopTimer?

    init(_ key: Key, source: RelayPeer, relay: MoQRelay) {
        self.key = key
        self.source = source
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
        self.query = self.source.session.trackStatus(of: self.key.name) { [weak self] result in
            self?.answered(result)
        }
    }

    private func answered(_ result: Result<RequestOk, MoQError>) {
        guard self.query != nil else {
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
        if query != nil {
            self.relay?.questions[self.key] = nil
        }
        query?.cancel()
        return waiting
    }
}
