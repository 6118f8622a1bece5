// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQProtocol
import MoQWire
import WebTransport

/// One stream of a subgroup of a track that several publishers bring. (loop)
///
/// All streams of one subgroup feed one ``SubgroupForwarder``, which passes on what none of them brought before: it is always
/// as far as the stream that is farthest, to the byte. So when one breaks off, nothing is missing, and the next one goes on
/// where it stopped.
///
/// ```
///   undecided ──────────────────► attached ── the subgroup is complete ──► spent
///     │   ▲                          │                                       ▲
///     │   └── given up incomplete ───┘                                       │
///     └── it was complete before ────────────────────────────────────────────┘
/// ```
///
/// What comes is compared with what the others bring, whether or not it is passed on.
final class SubgroupCopy: SubgroupConsumer {
    /// Where the objects go.
    enum Place {
        /// Nowhere yet: another publisher will bring what comes before.
        case undecided
        /// To the subscribers, as far as they have not got them.
        case attached(SubgroupForwarder)
        /// Nowhere: everything was passed on.
        case spent
    }

    let description: SubgroupDescription
    /// Whose stream it is.
    private(set) weak var source: UpstreamFeed?
    /// The object that began last.
    private(set) var last: UInt64?
    /// Whether that object comes after some that were not passed on and that this stream does not bring.
    private(set) var isAhead = false

    private var track: TrackForwarder?
    private let merge: TrackMerge
    /// Whether the stream comes from another shard.
    private let hasCrossed: Bool
    private let watch: SubgroupWatch
    private var place = Place.undecided
    private var length: UInt64 = 0
    private var arrived: UInt64 = 0

    /// - Throws: when the subgroup has another priority than the other publishers say.
    init(
        _ description: SubgroupDescription,
        of source: UpstreamFeed?,
        track: TrackForwarder,
        merge: TrackMerge
    ) throws(MalformedTrack) {
        self.description = description
        self.source = source
        self.hasCrossed = source?.owner.isSibling ?? false
        self.track = track
        self.merge = merge
        self.watch = try merge.integrity.openSubgroup(
            description.subgroup,
            ofGroup: description.group,
            priority: description.publisherPriority
        )
    }

    /// Takes the place of the one stream that a forwarder had, which is this far.
    func stand(for forwarder: SubgroupForwarder, last: UInt64?, length: UInt64, arrived: UInt64) {
        self.place = .attached(forwarder)
        self.last = last
        self.length = length
        self.arrived = arrived
    }

    /// Looks for a place, if there is none.
    func findPlace() {
        if case .undecided = self.place, let track = self.track {
            self.place = track.place(for: self)
        }
    }

    /// The streams of the subscribers have ended. What is left of a subgroup that is not complete gets new ones.
    func subgroupEnded(isComplete: Bool) {
        self.place = isComplete ? .spent : .undecided
    }

    func beginObject(_ object: ObjectHeader) {
        let isSound = self.judge { (integrity, watch) throws(MalformedTrack) in
            try integrity.begin(object, in: watch)
        }
        guard isSound else {
            return
        }
        let previous = self.last
        self.last = object.objectID
        self.length = object.payloadLength
        self.arrived = 0
        self.findPlace()
        guard case .attached(let subgroup) = self.place else {
            self.track?.countDuplicate()
            return
        }
        var answer = subgroup.offer(object, after: previous, hasCrossed: self.hasCrossed)
        self.isAhead = answer == .ahead
        if self.isAhead, subgroup.isStuck {
            // Nobody is left who could bring what is missing. The object opens new streams.
            subgroup.giveUp()
            self.findPlace()
            if case .attached(let successor) = self.place {
                answer = successor.offer(object, after: previous, hasCrossed: self.hasCrossed)
                self.isAhead = answer == .ahead
            }
        }
        switch answer {
        case .passed:
            break
        case .known, .ahead:
            self.track?.countDuplicate()
        case .contradiction:
            self.track?.contradicted(
                "two publishers do not agree about object \(object.objectID) of group \(self.description.group)"
            )
        }
    }

    func receive(payload: Bytes) {
        let offset = self.arrived
        self.arrived &+= UInt64(payload.count)
        let isLast = self.arrived == self.length
        let isSound = self.judge { (integrity, watch) throws(MalformedTrack) in
            try integrity.receive(payload: payload.span, isLast: isLast, in: watch)
        }
        if isSound, case .attached(let subgroup) = self.place, let last = self.last {
            subgroup.offer(payload, of: last, at: offset)
        }
    }

    func finish() {
        let endsGroup = self.description.containsEndOfGroup
        let isSound = self.judge { (integrity, watch) throws(MalformedTrack) in
            try integrity.finish(watch, containsEndOfGroup: endsGroup)
        }
        if isSound {
            self.leave { $0.finished(self) }
        }
    }

    func reset(_ code: StreamResetCode) {
        self.leave { $0.broke(self, code) }
    }

    private func leave(_ body: (SubgroupForwarder) -> Void) {
        let place = self.place
        self.place = .spent
        if case .attached(let subgroup) = place {
            body(subgroup)
        }
        self.track = nil
    }

    /// Has what came compared with what other streams and publishers bring. Returns false when it cannot be; then the track
    /// is over, and this stream with it.
    private func judge(
        _ body: (inout TrackIntegrity, SubgroupWatch) throws(MalformedTrack) -> Void
    ) -> Bool {
        guard let track = self.track else {
            return false
        }
        do throws(MalformedTrack) {
            try body(&self.merge.integrity, self.watch)
            return true
        } catch {
            track.contradicted(error.reason)
            return false
        }
    }
}
