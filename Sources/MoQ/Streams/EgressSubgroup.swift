// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQProtocol
package import MoQWire
internal import PacketLoop
package import WebTransport

/// One subgroup on its way to one subscriber: a unidirectional stream, opened with the first object that the subscriber
/// gets. Loop only.
///
/// ```
///   waiting ── first object that passes ──► open ── finish() ──► finished ── drained ──► sent ── confirmed ──► over
///      └──────────────────── reset(), STOP_SENDING, end of the subscription ─────────────────────────────────► over
/// ```
///
/// One that lacks objects which the subscriber has asked for, because they came before it was there, ends with a reset, once
/// everything was acknowledged (draft-18 §11.4.3).
///
/// A relay calls it for every object and every subscriber, so no reference is counted on that way that need not be.
@safe
package final class EgressSubgroup: SubgroupConsumer, SendStreamDelegate {
    private enum State {
        case waiting
        case open
        case finished
        case sent
        case over
    }

    /// Where the subgroup is in its publisher's list.
    var index = 0
    /// What the subgroup is.
    let description: SubgroupDescription
    /// The stream, once it is open. It stays, so what is done with it meanwhile needs no further reference.
    private(set) var stream: SendStream? {
        didSet { unsafe self.unretainedStream = self.stream.map { unsafe Unmanaged.passUnretained($0) } }
    }
    private var unretainedStream: Unmanaged<SendStream>?

    /// The subscription.
    package let publisher: TrackPublisher
    /// Whether the filter has to be asked about every object.
    private var isPartial: Bool
    private var encoder: SubgroupStreamEncoder
    private var state: State = .waiting
    /// Whether who gives the objects opens another stream when this one has left some out. Otherwise it goes on after them.
    package var isReplaced = false
    /// Whether the subgroup has ended here only because the filter leaves out what would have come next.
    package private(set) var wasLeftOut = false
    private var hasSkipped = false
    private var isSkipping = false
    private var missing: UInt64 = 0
    /// The objects that wait, if there is a limit to that.
    private var waiting = WaitingObjects()
    /// When ``finish()`` was called.
    private var finishTime: LoopInstant?
    /// Whether the stream ends with a reset.
    private var lacksObjects = false
    /// Runs until that reset.
    private var resetTimer: LoopTimer?
    /// Runs while something may become late.
    private var lateTimer: LoopTimer?

    /// `isPartial` says that the filter has to be asked about every object, as long as it is the same.
    init(publisher: TrackPublisher, description: SubgroupDescription, isPartial: Bool) {
        self.publisher = publisher
        self.description = description
        self.isPartial = isPartial
        self.encoder = SubgroupStreamEncoder(profile: publisher.session.profile)
    }

    package func beginObject(_ object: ObjectHeader) {
        let location = Location(group: self.description.group, object: object.objectID)
        self.publisher.noteLargest(location)
        guard self.state == .waiting || self.state == .open else {
            return
        }
        guard self.missing == 0 else {
            self.reset(.internalError)
            return
        }
        guard self.publisher.isForwarding else {
            // What is left out for this reason must not look complete (draft-18 §11.4.3).
            self.publisher.countNotForwarded()
            self.reset(.cancelled)
            return
        }
        guard !self.isPartial || self.publisher.filter.passes(location) else {
            self.publisher.countFiltered()
            if self.isReplaced, self.state == .open, location < self.publisher.filter.range.start {
                // What passes later must not follow on this stream as if nothing was missing (draft-18 §11.4.3).
                self.leaveOut()
                return
            }
            self.hasSkipped = true
            self.isSkipping = true
            return
        }
        if self.state != .open {
            guard self.open() else {
                return
            }
            self.publisher.firstWanted = self.publisher.firstWanted ?? location
        }
        if object.status == .normal {
            self.writeHeader(of: object)
        } else if let adapted = object.adapted(to: self.publisher.session.profile.data) {
            self.writeHeader(of: adapted)
        } else {
            self.isSkipping = true
        }
    }

    private func writeHeader(of object: ObjectHeader) {
        self.isSkipping = false
        self.missing = object.payloadLength
        let start = self.publisher.timeouts.object == nil ? nil : self.writtenByteCount
        let isWritten = self.write { (encoder, bytes) throws(MoQWireError) in
            try encoder.encode(object, into: &bytes)
        }
        if isWritten {
            self.publisher.countObject()
            if let start {
                self.noteWaiting(at: start)
            }
        }
    }

    package func receive(payload: Bytes) {
        guard self.state == .open, !self.isSkipping, let stream = unsafe self.unretainedStream else {
            return
        }
        guard UInt64(payload.count) <= self.missing else {
            self.reset(.internalError)
            return
        }
        self.missing -= UInt64(payload.count)
        let failure = unsafe stream._withUnsafeGuaranteedRef { stream -> WebTransportError? in
            do throws(WebTransportError) {
                try stream.write(payload)
                return nil
            } catch {
                return error
            }
        }
        if let failure {
            self.writeFailed(failure)
            return
        }
        self.publisher.countPayload(payload.count)
    }

    package func finish() {
        guard self.state == .waiting || self.state == .open else {
            return
        }
        guard self.missing == 0 else {
            self.reset(.internalError)
            return
        }
        if self.state == .waiting {
            // An empty subgroup is said to be empty; one that was left out altogether is not mentioned.
            guard !self.hasSkipped, self.publisher.isForwarding, self.open() else {
                self.over()
                return
            }
        }
        guard let stream = self.stream else {
            return
        }
        self.state = .finished
        stream.tellsWhenEmpty = true
        if let object = self.description.precedingObject, let first = self.publisher.firstWanted,
            Location(group: self.description.group, object: object) >= first
        {
            self.lacksObjects = true
        } else {
            try? stream.finish()
        }
        if self.publisher.timeouts.subgroup != nil {
            self.finishTime = self.publisher.session.loop.now
            self.timeoutsChanged()
        }
        self.publisher.subgroupFinished()
        self.checkSent()
    }

    package func reset(_ code: StreamResetCode) {
        guard self.state != .over else {
            return
        }
        let stream = self.stream
        self.over {
            stream?.reset(code: code.wireValue(in: self.publisher.session.profile))
        }
    }

    /// The filter of the subscription is another one. A subgroup that it leaves out altogether ends here, and must not look
    /// complete (draft-18 §11.4.3).
    func filterChanged() {
        guard self.state == .waiting || self.state == .open else {
            return
        }
        switch self.publisher.filter.verdict(group: self.description.group) {
        case .before, .after:
            self.leaveOut()
        case .inside:
            self.isPartial = false
        case .partial:
            self.isPartial = true
        }
    }

    private func leaveOut() {
        self.wasLeftOut = true
        self.reset(.cancelled)
    }

    /// Whether objects can still be given to it.
    package var takesObjects: Bool {
        self.state == .waiting || self.state == .open
    }

    /// How many bytes were written to the stream.
    private var writtenByteCount: UInt64 {
        self.stream.map { $0.bytesTaken &+ UInt64(clamping: $0.queuedByteCount) } ?? 0
    }

    /// How many bytes wait to be sent.
    var queuedByteCount: Int {
        self.stream?.queuedByteCount ?? 0
    }

    // MARK: Lateness

    /// The timeouts of the subscription are others.
    func timeoutsChanged() {
        self.lateTimer?.cancel()
        self.lateTimer = nil
        self.watchForLateness()
    }

    /// An object began that may have to wait.
    private func noteWaiting(at start: UInt64) {
        guard let timeout = self.publisher.timeouts.object else {
            return
        }
        let now = MonotonicInstant(microseconds: self.publisher.session.loop.now.microseconds)
        self.waiting.objectBegan(at: start, now: now, spacing: timeout / 8)
        self.watchForLateness()
    }

    /// There is one timer at most; objects only start it when it does not run.
    private func watchForLateness() {
        guard self.lateTimer == nil, let deadline = self.deadline else {
            return
        }
        self.lateTimer = self.publisher.session.loop.schedule(at: deadline) { [weak self] in
            self?.lateTimerFired()
        }
    }

    private func lateTimerFired() {
        self.lateTimer = nil
        guard let deadline = self.deadline, deadline <= self.publisher.session.loop.now else {
            self.watchForLateness()
            return
        }
        self.publisher.session.totals.subgroupsTimedOut &+= 1
        self.reset(.deliveryTimeout)
    }

    /// When the subgroup has to be given up as things stand (draft-18 §8): an object waits in the queue, or the end is not
    /// delivered.
    private var deadline: LoopInstant? {
        guard self.state != .over, let stream = self.stream else {
            return nil
        }
        let timeouts = self.publisher.timeouts
        var deadline: LoopInstant?
        if let timeout = timeouts.object, let oldest = self.waiting.oldest(taken: stream.bytesTaken) {
            deadline = LoopInstant(microseconds: oldest.microseconds).advanced(by: timeout)
        }
        if let timeout = timeouts.subgroup, let finishTime = self.finishTime {
            let end = finishTime.advanced(by: timeout)
            deadline = min(deadline ?? end, end)
        }
        return deadline
    }

    // MARK: The stream

    /// Each object leaves the queue empty where the subscriber keeps up. That is of interest as long as the publisher waits for
    /// its queues, and when nothing more comes.
    func publisherIsAboveHighWatermark(_ isAbove: Bool) {
        self.stream?.tellsWhenEmpty = isAbove || self.state == .finished
    }

    package func sendStreamDidDrain(_ stream: SendStream) {
        self.checkSent()
        self.publisher.streamDidDrain()
    }

    package func sendStream(_ stream: SendStream, peerStoppedSending code: UInt64) {
        self.over()
    }

    package func sendStreamDidComplete(_ stream: SendStream) {
        // The end of the session completes streams, too; the session tells its publishers of that itself.
        if stream.isDelivered {
            self.over()
        }
    }

    private var saysPriority: Bool {
        self.description.hasExplicitPriority || !self.publisher.session.profile.data.prioritiesMayBeLeftOut
    }

    private func open() -> Bool {
        guard let stream = self.publisher.openStream(for: self) else {
            self.over()
            return false
        }
        self.stream = stream
        self.state = .open
        let description = self.description
        let header = SubgroupHeader(
            trackAlias: self.publisher.trackAlias,
            groupID: description.group,
            subgroupID: description.subgroup == 0 ? .zero : .explicit(description.subgroup),
            publisherPriority: self.saysPriority ? description.publisherPriority : nil,
            hasProperties: description.hasProperties,
            containsEndOfGroup: description.containsEndOfGroup,
            isFirstObject: description.isFirstObject && !self.hasSkipped
        )
        stream.delegate = self
        self.publisherIsAboveHighWatermark(self.publisher.isAboveHighWatermark)
        return self.write { (encoder, bytes) throws(MoQWireError) in
            try encoder.encode(header, into: &bytes)
        }
    }

    /// Queues a header. Returns false when the subgroup is over because of it.
    private func write(
        _ encode: (inout SubgroupStreamEncoder, inout [UInt8]) throws(MoQWireError) -> Void
    ) -> Bool {
        guard let stream = unsafe self.unretainedStream else {
            return false
        }
        var isEncoded = false
        var count = 0
        let failure = unsafe stream._withUnsafeGuaranteedRef { stream -> WebTransportError? in
            do throws(WebTransportError) {
                try stream.write { bytes in
                    do throws(MoQWireError) {
                        try encode(&self.encoder, &bytes)
                        isEncoded = true
                    } catch {
                        isEncoded = false
                    }
                    count = bytes.count
                }
                return nil
            } catch {
                return error
            }
        }
        if let failure {
            self.writeFailed(failure)
            return false
        }
        guard isEncoded else {
            self.reset(.internalError)
            return false
        }
        self.publisher.countQueued(count)
        return self.state == .open
    }

    private func writeFailed(_ error: WebTransportError) {
        guard error.code == .queueFull else {
            // The stream is gone and its delegate was told, or the session is.
            return
        }
        self.publisher.fellBehind("no room in the queue of the transport")
    }

    /// Finished, and nothing left to send?
    private func checkSent() {
        guard self.state == .finished, self.queuedByteCount == 0 else {
            return
        }
        self.state = .sent
        if self.lacksObjects {
            self.resetWhenDelivered(until: self.publisher.session.loop.now.advanced(by: Self.resetPatience))
        }
        self.publisher.subgroupClosed(self)
    }

    /// How often is looked whether everything was acknowledged, and for how long.
    private static let resetInterval = Duration.milliseconds(20)
    private static let resetPatience = Duration.seconds(10)

    private func resetWhenDelivered(until deadline: LoopInstant) {
        let loop = self.publisher.session.loop
        self.resetTimer = loop.schedule(after: Self.resetInterval) { [weak self] in
            guard let self, self.state == .sent, let stream = self.stream else {
                return
            }
            if stream.isAcknowledged || loop.now >= deadline {
                self.reset(.cancelled)
            } else {
                self.resetWhenDelivered(until: deadline)
            }
        }
    }

    private func over(_ body: () -> Void = {}) {
        let state = self.state
        guard state != .over else {
            return
        }
        self.state = .over
        self.missing = 0
        self.lateTimer?.cancel()
        self.lateTimer = nil
        self.resetTimer?.cancel()
        self.resetTimer = nil
        body()
        self.publisher.remove(
            self,
            hadStream: self.stream != nil,
            wasFinished: state == .finished || state == .sent,
            wasSent: state == .sent
        )
    }
}
