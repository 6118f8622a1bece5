// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQProtocol
import MoQWire
import PacketLoop
import WebTransport

/// Copies one subgroup stream of a publisher to every subscriber of the track, as it arrives. (loop)
///
/// Each subscriber has a leg. A leg opens its own stream when the subscriber's filter and forward state allow, at the
/// earliest with the subgroup itself and otherwise in front of a whole object, so a subscriber that joins in the middle
/// starts with the next object. Payload is passed on by reference; per object nothing is looked up. What is passed on
/// is remembered as well, unless the relay has no memory.
///
/// Where the track has one publisher, the forwarder is the consumer of its stream. Where it has several, each of their streams
/// of the subgroup is a ``SubgroupCopy``, and the forwarder passes on what is new in any of them. When all of them broke off,
/// it waits a while for another publisher's.
///
/// A consumer may end its subscriber from inside a call (it was too far behind), and so change the legs while they are
/// being walked. Legs are therefore only closed then, and taken out when the walk is over. Until then they keep their consumers,
/// too: so these are called without a reference of the call's own, of which there would be one for each object and subscriber.
final class SubgroupForwarder: SubgroupConsumer {
    /// The way to one subscriber.
    @safe
    private struct Leg {
        let subscriber: TrackSubscriber
        let isSibling: Bool
        var state = State.waiting
        /// Where objects go, or went last.
        var consumer: EgressSubgroup? {
            didSet { unsafe self.unretained = self.consumer.map { unsafe Unmanaged.passUnretained($0) } }
        }
        /// The same.
        private(set) var unretained: Unmanaged<EgressSubgroup>?

        /// Whether the subscriber is another shard whose own subscribers lag.
        var lagsElsewhere: Bool {
            self.isSibling && self.subscriber.lagsElsewhere
        }

        init(_ subscriber: TrackSubscriber) {
            self.subscriber = subscriber
            self.isSibling = subscriber.isSibling
        }
    }

    private enum State {
        /// No stream yet; the next object may open one.
        case waiting
        /// Objects go to the consumer.
        case open
        /// The subscriber does not want this subgroup, or is gone.
        case closed
        /// The subscriber's session has given the subgroup up, whatever else the subscriber wants.
        case givenUp
    }

    let description: SubgroupDescription
    /// The place in the forwarder's list of open subgroups.
    var index = 0

    private let ledger: RelayLedger
    /// Kept until the subgroup ends, and so not longer than the publisher's stream.
    private var forwarder: TrackForwarder?
    private var legs: [Leg] = []
    /// Consumers that were replaced during a walk.
    private var replaced: [EgressSubgroup] = []
    /// Remembers the objects; nil in a relay without a memory.
    private var recorder: SubgroupRecorder?
    private var hasBegun = false
    private var walks = 0
    private var needsSweep = false
    private var isOver = false

    /// The object that was begun last, its length, and how much of it was passed on.
    private var last: UInt64?
    private var length: UInt64 = 0
    private var passed: UInt64 = 0
    /// The last object before that, all of which was passed on.
    private var lastBefore: UInt64?
    /// Whether the object that was begun last came from another shard, where it is counted.
    private var hasCrossed = false

    /// Whose stream ends here.
    private weak var source: UpstreamFeed?
    /// The streams that bring the subgroup; none while it is only the one that ends here.
    private var copies: [SubgroupCopy] = []
    /// Stands for that one once others may bring the subgroup, too.
    private var own: SubgroupCopy?
    /// Runs while no stream is left.
    private var patience: LoopTimer?

    /// How long the streams of the subscribers are kept when all streams of publishers broke off and there are other
    /// publishers.
    static let patience = Duration.seconds(5)

    /// `last` is set for the rest of a subgroup that was passed on through that object.
    init(
        _ description: SubgroupDescription,
        of source: UpstreamFeed?,
        after last: UInt64? = nil,
        forwarder: TrackForwarder,
        ledger: RelayLedger
    ) {
        self.description = description
        self.source = source
        self.hasCrossed = source?.owner.isSibling ?? false
        self.lastBefore = last
        self.hasBegun = last != nil
        self.forwarder = forwarder
        self.ledger = ledger
        self.recorder = forwarder.cache.map { SubgroupRecorder(description, cache: $0, loop: ledger.loop) }
    }

    /// How far the subgroup got.
    private var lastComplete: UInt64? {
        self.last != nil && self.passed == self.length ? self.last : self.lastBefore
    }

    /// Adds a subscriber. One that is there when the subgroup begins gets the stream with its beginning.
    func add(_ subscriber: TrackSubscriber) {
        subscriber.liveLegs += 1
        self.legs.append(Leg(subscriber))
    }

    /// Opens what can be opened before the first object, so that the header travels ahead of it.
    func begin() {
        self.walk { index in
            self.openIfWanted(index)
        }
    }

    /// Takes a subscriber out. With a code its stream is reset; without one its session has ended the stream already.
    func remove(_ subscriber: TrackSubscriber, reset code: StreamResetCode? = nil) {
        guard let index = self.legs.firstIndex(where: { $0.subscriber === subscriber }) else {
            return
        }
        let wasOpen = self.close(index) == .open
        let consumer = self.legs[index].consumer
        if self.walks > 0 {
            self.needsSweep = true
        } else {
            self.legs.remove(at: index)
        }
        if let code, wasOpen, let consumer {
            consumer.reset(code)
            self.ledger.counters.subgroupsCutShort &+= 1
        }
    }

    /// Gives a subscriber that did not want the subgroup another chance, after it changed its wishes.
    func reconsider(_ subscriber: TrackSubscriber) {
        for index in self.legs.indices where self.legs[index].subscriber === subscriber {
            self.closeIfEnded(index)
            if self.legs[index].state == .closed, !subscriber.isOver {
                self.reopen(index)
            }
        }
    }

    /// Gives a subscriber that wants no objects for now another chance where its session gave the subgroup up: it may want them
    /// again.
    func forgive(_ subscriber: TrackSubscriber) {
        for index in self.legs.indices where self.legs[index].subscriber === subscriber {
            self.closeIfEnded(index)
            if self.legs[index].state == .givenUp {
                self.legs[index].state = .closed
            }
        }
    }

    /// Closes the legs whose streams were ended in the subscriber's session, which nobody else is told of.
    func closeEndedLegs() {
        for index in self.legs.indices {
            self.closeIfEnded(index)
        }
    }

    // MARK: The publisher's stream

    func beginObject(_ object: ObjectHeader) {
        guard let own = self.own else {
            self.pass(object)
            return
        }
        own.beginObject(object)
    }

    func receive(payload: Bytes) {
        guard let own = self.own else {
            self.pass(payload)
            return
        }
        own.receive(payload: payload)
    }

    func finish() {
        guard let own = self.own else {
            self.complete()
            return
        }
        self.own = nil
        own.finish()
    }

    func reset(_ code: StreamResetCode) {
        guard let own = self.own else {
            self.breakOff(code)
            return
        }
        self.own = nil
        own.reset(code)
    }

    // MARK: The streams of several publishers

    /// Other publishers may bring the subgroup from now on.
    func beginMerging(_ merge: TrackMerge, of track: TrackForwarder) throws(MalformedTrack) {
        guard self.copies.isEmpty, self.patience == nil, !self.isOver else {
            return
        }
        let own = try SubgroupCopy(self.description, of: self.source, track: track, merge: merge)
        own.stand(for: self, last: self.last, length: self.length, arrived: self.passed)
        self.own = own
        self.copies = [own]
    }

    /// One more stream brings the subgroup.
    func add(_ copy: SubgroupCopy) {
        self.copies.append(copy)
        self.patience?.cancel()
        self.patience = nil
    }

    /// Whether a stream with this description brings the same subgroup.
    func isSame(as description: SubgroupDescription) -> Bool {
        self.description.group == description.group && self.description.subgroup == description.subgroup
    }

    /// What becomes of something that a stream brings.
    enum Answer {
        /// It was passed on.
        case passed
        /// It had been passed on before.
        case known
        /// What comes before it was not, and another stream has to bring that first.
        case ahead
        /// It is not what was passed on.
        case contradiction
    }

    /// An object begins in a stream, after `previous` in the same stream. It is passed on when it is the next one
    /// (draft-18 §11.4.3).
    func offer(_ object: ObjectHeader, after previous: UInt64?, hasCrossed: Bool) -> Answer {
        guard let last = self.last else {
            if let before = self.lastBefore, object.objectID <= before {
                return .known
            }
            self.hasCrossed = hasCrossed
            self.pass(object)
            return .passed
        }
        guard object.objectID > last else {
            return object.objectID == last && object.payloadLength != self.length ? .contradiction : .known
        }
        let isNext = object.objectID - 1 == last || previous.map { $0 <= last } ?? false
        guard isNext, self.passed == self.length else {
            return .ahead
        }
        self.hasCrossed = hasCrossed
        self.pass(object)
        return .passed
    }

    /// The next part of an object comes in a stream, of which there were `offset` bytes.
    func offer(_ payload: Bytes, of object: UInt64, at offset: UInt64) {
        let end = offset &+ UInt64(payload.count)
        guard object == self.last, offset <= self.passed, end > self.passed, end <= self.length else {
            return
        }
        self.pass(payload.dropFirst(Int(clamping: self.passed - offset)))
    }

    /// A stream ended with FIN.
    func finished(_ copy: SubgroupCopy) {
        self.copies.removeAll { $0 === copy }
        if copy.last == self.last ?? self.lastBefore, self.passed == self.length {
            self.complete()
        } else {
            self.lostCopy(of: copy.source, .internalError)
        }
    }

    /// A stream broke off.
    func broke(_ copy: SubgroupCopy, _ code: StreamResetCode) {
        self.copies.removeAll { $0 === copy }
        self.lostCopy(of: copy.source, code)
    }

    /// Whether no stream is left that brings the next object.
    var isStuck: Bool {
        self.copies.allSatisfy(\.isAhead)
    }

    /// Ends the subscribers' streams early; a later object of the subgroup gets new ones.
    func giveUp() {
        self.breakOff(.internalError)
    }

    private func lostCopy(of source: UpstreamFeed?, _ code: StreamResetCode) {
        guard self.copies.isEmpty, !self.isOver else {
            return
        }
        guard let forwarder = self.forwarder, forwarder.hasPublisher(besides: source) else {
            self.breakOff(code)
            return
        }
        self.patience = self.ledger.loop.schedule(after: Self.patience) { [weak self] in
            self?.breakOff(code)
        }
    }

    // MARK: The subscribers' streams

    private func pass(_ object: ObjectHeader) {
        let location = Location(group: self.description.group, object: object.objectID)
        self.lastBefore = self.last ?? self.lastBefore
        self.last = object.objectID
        self.length = object.payloadLength
        self.passed = 0
        self.forwarder?.observed(location)
        if !self.hasCrossed {
            self.ledger.counters.countIn(objects: 1)
        }
        self.recorder?.begin(object)
        var handed: UInt64 = 0
        var crossed: UInt64 = 0
        var hasRoom = false
        self.walk { index in
            self.openIfWanted(index)
            guard self.legs[index].state == .open, let consumer = unsafe self.legs[index].unretained else {
                return
            }
            var goesOn = false
            let isTaken = unsafe consumer._withUnsafeGuaranteedRef { consumer in
                guard consumer.takesObjects, consumer.publisher.forward || consumer.publisher.isEnded else {
                    return false
                }
                consumer.beginObject(object)
                goesOn = consumer.takesObjects
                hasRoom = hasRoom || goesOn && self.hasRoom(consumer, index)
                return true
            }
            if !goesOn, self.closeIfEnded(index) {
                return
            }
            guard isTaken else {
                // The object is left out, so the stream must not go on after it (draft-18 §11.4.3). When the
                // subscriber wants objects again, the leg gets a new one.
                self.close(index)
                self.legs[index].consumer?.reset(.cancelled)
                return
            }
            if self.legs[index].isSibling {
                crossed &+= 1
            } else {
                handed &+= 1
            }
        }
        self.hasBegun = true
        self.ledger.counters.countOut(objects: handed)
        self.ledger.counters.countCrossed(objects: crossed)
        if handed == 0, crossed == 0 {
            self.ledger.counters.objectsWithoutSubscriber &+= 1
        } else if !hasRoom {
            self.forwarder?.everybodyLags()
        }
    }

    private func pass(_ payload: Bytes) {
        let size = UInt64(payload.count)
        self.passed &+= size
        if !self.hasCrossed {
            self.ledger.counters.countIn(bytes: size)
        }
        self.recorder?.append(payload)
        var handed: UInt64 = 0
        var crossed: UInt64 = 0
        var hasRoom = false
        self.walk { index in
            guard self.legs[index].state == .open, let consumer = unsafe self.legs[index].unretained else {
                return
            }
            let goesOn = unsafe consumer._withUnsafeGuaranteedRef { consumer in
                consumer.receive(payload: payload)
                let goesOn = consumer.takesObjects
                hasRoom = hasRoom || goesOn && self.hasRoom(consumer, index)
                return goesOn
            }
            guard goesOn else {
                self.closeIfEnded(index)
                return
            }
            if self.legs[index].isSibling {
                crossed &+= 1
            } else {
                handed &+= 1
            }
        }
        self.ledger.counters.countOut(bytes: handed &* size)
        self.ledger.counters.countCrossed(bytes: crossed &* size)
        if !hasRoom, handed > 0 || crossed > 0 {
            self.forwarder?.everybodyLags()
        }
    }

    private func complete() {
        self.recorder?.finish()
        self.end(isComplete: true) { $0.finish() }
    }

    /// Ends the subscribers' streams early.
    func breakOff(_ code: StreamResetCode) {
        self.recorder?.abandon()
        self.end(isComplete: false) { $0.reset(code) }
    }

    private func end(isComplete: Bool, _ body: (EgressSubgroup) -> Void) {
        guard !self.isOver else {
            return
        }
        // Out of the forwarder's list first: nobody may join a subgroup that is ending.
        self.isOver = true
        self.recorder = nil
        self.patience?.cancel()
        self.patience = nil
        let copies = self.copies
        self.copies = []
        for copy in copies {
            copy.subgroupEnded(isComplete: isComplete)
        }
        let forwarder = self.forwarder
        self.forwarder = nil
        forwarder?.subgroupEnded(
            self,
            SubgroupHistory.Record(
                group: self.description.group,
                subgroup: self.description.subgroup,
                last: self.lastComplete,
                isComplete: isComplete
            )
        )
        self.walk { index in
            if self.close(index) == .open, let consumer = self.legs[index].consumer {
                body(consumer)
            }
        }
        if self.walks == 0 {
            self.legs = []
        }
    }

    /// Closes a leg and returns what it was.
    @discardableResult
    private func close(_ index: Int) -> State {
        let state = self.legs[index].state
        guard state == .waiting || state == .open else {
            return state
        }
        self.legs[index].state = .closed
        self.legs[index].subscriber.liveLegs -= 1
        if state == .open {
            self.legs[index].subscriber.openLegs -= 1
        }
        return state
    }

    /// Has a closed leg take the next object, if its subscriber wants that.
    private func reopen(_ index: Int) {
        self.legs[index].state = .waiting
        self.legs[index].subscriber.liveLegs += 1
    }

    /// Closes a leg whose stream was ended in the subscriber's session: by the subscriber, or because something came too late.
    /// One that ended only because the filter leaves something out can have another stream. Returns whether it was closed.
    @discardableResult
    private func closeIfEnded(_ index: Int) -> Bool {
        guard self.legs[index].state == .open, let consumer = self.legs[index].consumer, !consumer.takesObjects else {
            return false
        }
        self.close(index)
        if !consumer.wasLeftOut {
            self.legs[index].state = .givenUp
        } else if !self.legs[index].subscriber.isOver {
            self.reopen(index)
        }
        return true
    }

    /// Whether the subscriber of a leg has room for more.
    private func hasRoom(_ consumer: EgressSubgroup, _ index: Int) -> Bool {
        !consumer.publisher.isAboveHighWatermark && !self.legs[index].lagsElsewhere
    }

    /// Opens the leg's stream if it has none and the subscriber wants objects now.
    private func openIfWanted(_ index: Int) {
        guard self.legs[index].state == .waiting else {
            return
        }
        let subscriber = self.legs[index].subscriber
        guard !subscriber.isOver, subscriber.publisher.forward else {
            return
        }
        var description = self.description
        description.isFirstObject = description.isFirstObject && !self.hasBegun
        description.precedingObject = self.lastBefore
        guard let consumer = subscriber.publisher.openSubgroup(description) else {
            // The filter leaves the group out, or no stream could be had; either way not this subgroup.
            self.close(index)
            return
        }
        guard self.legs[index].state == .waiting else {
            return
        }
        if let former = self.legs[index].consumer {
            self.replaced.append(former)
        }
        consumer.isReplaced = true
        self.legs[index].state = .open
        self.legs[index].consumer = consumer
        subscriber.openLegs += 1
    }

    /// Calls `body` for each leg that existed when the walk began. No leg is taken out meanwhile, and no consumer let go of.
    private func walk(_ body: (Int) -> Void) {
        self.walks += 1
        // Legs are only added meanwhile, so every index stays valid.
        let count = self.legs.count
        var index = 0
        while index < count {
            body(index)
            index += 1
        }
        self.walks -= 1
        guard self.walks == 0 else {
            return
        }
        if !self.replaced.isEmpty {
            self.replaced = []
        }
        if self.needsSweep || self.isOver {
            self.needsSweep = false
            self.legs.removeAll { self.isOver || $0.subscriber.isOver }
        }
    }
}
