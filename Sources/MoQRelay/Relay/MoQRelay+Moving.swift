// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
public import MoQWire

extension MoQRelay {
    /// Asks the subscribers of a track to get it from somewhere else, each for this one subscription (GOAWAY on the stream of
    /// its SUBSCRIBE, draft-18 §10.4); their other requests stay here. (loop)
    ///
    /// Objects flow until a subscriber ends its subscription, or until `timeout`, if there is one, ends it. Those who speak a
    /// draft before 18, or were offered the track by the relay, cannot be asked, and stay.
    ///
    /// - Parameters:
    ///   - track: the track.
    ///   - uri: where to connect to; nil for this relay again.
    ///   - timeout: how long they may take.
    /// - Returns: how many were asked, without those that had been before.
    @discardableResult
    public func moveSubscribers(of track: FullTrackName, to uri: String?, timeout: Duration? = nil) -> Int {
        let sessions = self.tracks[track]?.subscribers.compactMap { subscriber in
            subscriber.publisher.requestID.map { (subscriber.owner.session, $0) }
        }
        var count = 0
        for (session, request) in sessions ?? [] {
            do throws(MoQError) {
                try session.sendGoaway(for: request, newSessionURI: uri, timeout: timeout)
                count += 1
            } catch {
                // It cannot be asked.
                continue
            }
        }
        return count
    }
}
