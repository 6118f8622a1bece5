// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import WebTransport

/// Copies one subgroup stream of a publisher to every subscriber of the track, as it arrives. (loop)
///
/// Each subscriber has a leg. A leg opens its own stream when the subscriber's filter and forward state allow, at the
/// earliest with the subgroup itself and otherwise in front of a whole object, so a subscriber that joins in the middle
/// starts with the next object. Payload is passed on by reference; per object nothing is looked up. What is passed on
/// is remembered as well, unless the relay has no memory.
///
/// A consumer may end its subscriber from inside a call (it was too far behind), and so change the legs while they are
/// being walked. Legs are therefore only emptied then, and taken out when the walk is over.
final class SubgroupForwarder: SubgroupConsumer {
    /// The way to one subscriber.
    private struct Leg {
        let subscriber: TrackSubscriber
        var state: State
    }

    private enum State {
        /// No stream yet; the next object may open one.
        case waiting
        /// Objects go here.
        case open(any SubgroupConsumer)
        /// The subscriber does not want this subgroup, or is gone.
        case closed
    }

    let description: SubgroupDescription
    /// The place in the forwarder's list of open subgroups.
    var index = 0

    private let ledger: RelayLedger
    /// Kept until the subgroup ends, and so not longer than the publisher's stream.
    private var forwarder: TrackForwarder?
    private var legs: [Leg] = []
    /// Remembers the objects; nil in a relay without a memory.
    private var recorder: SubgroupRecorder?
    private var hasBegun = false
    private var walks = 0
    private var needsSweep = false
    private var isOver = false

    init(_ description: SubgroupDescription, forwarder: TrackForwarder, ledger: RelayLedger) {
        self.description = description
        self.forwarder = forwarder
        self.ledger = ledger
        self.recorder = forwarder.cache.map { SubgroupRecorder(description, cache: $0, loop: ledger.loop) }
    }

    /// Adds a subscriber. One that is there when the subgroup begins gets the stream with its beginning.
    func add(_ subscriber: TrackSubscriber) {
        subscriber.liveLegs += 1
        self.legs.append(Leg(subscriber: subscriber, state: .waiting))
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
        let state = self.close(index)
        if self.walks > 0 {
            self.needsSweep = true
        } else {
            self.legs.remove(at: index)
        }
        if let code, case .open(let consumer) = state {
            consumer.reset(code)
            self.ledger.counters.subgroupsCutShort &+= 1
        }
    }

    /// Gives a subscriber that did not want the subgroup another chance, after it changed its wishes.
    func reconsider(_ subscriber: TrackSubscriber) {
        for index in self.legs.indices where self.legs[index].subscriber === subscriber {
            if case .closed = self.legs[index].state, !subscriber.isOver {
                subscriber.liveLegs += 1
                self.legs[index].state = .waiting
            }
        }
    }

    func beginObject(_ object: ObjectHeader) {
        let location = Location(group: self.description.group, object: object.objectID)
        self.forwarder?.observed(location)
        self.ledger.counters.objectsIn &+= 1
        self.recorder?.begin(object)
        var handed: UInt64 = 0
        var hasRoom = false
        self.walk { index in
            self.openIfWanted(index)
            if case .open(let consumer) = self.legs[index].state {
                let publisher = self.legs[index].subscriber.publisher
                guard publisher.forward || publisher.isEnded else {
                    // The object is left out, so the stream must not go on after it (draft-18 §11.4.3). When the
                    // subscriber wants objects again, the leg gets a new one.
                    _ = self.close(index)
                    consumer.reset(.cancelled)
                    return
                }
                consumer.beginObject(object)
                handed &+= 1
                hasRoom = hasRoom || !publisher.isAboveHighWatermark
            }
        }
        self.hasBegun = true
        self.account(objects: handed, bytes: 0, hasRoom: hasRoom)
        if handed == 0 {
            self.ledger.counters.objectsWithoutSubscriber &+= 1
        }
    }

    func receive(payload: Bytes) {
        self.ledger.counters.bytesIn &+= UInt64(payload.count)
        self.recorder?.append(payload)
        var handed: UInt64 = 0
        var hasRoom = false
        self.walk { index in
            if case .open(let consumer) = self.legs[index].state {
                let publisher = self.legs[index].subscriber.publisher
                consumer.receive(payload: payload)
                handed &+= 1
                hasRoom = hasRoom || !publisher.isAboveHighWatermark
            }
        }
        self.account(objects: 0, bytes: handed &* UInt64(payload.count), hasRoom: handed == 0 || hasRoom)
    }

    func finish() {
        self.recorder?.finish()
        self.end { $0.finish() }
    }

    func reset(_ code: StreamResetCode) {
        self.recorder?.abandon()
        self.end { $0.reset(code) }
    }

    private func end(_ body: (any SubgroupConsumer) -> Void) {
        guard !self.isOver else {
            return
        }
        // Out of the forwarder's list first: nobody may join a subgroup that is ending.
        self.isOver = true
        self.recorder = nil
        let forwarder = self.forwarder
        self.forwarder = nil
        forwarder?.subgroupEnded(self)
        self.walk { index in
            if case .open(let consumer) = self.close(index) {
                body(consumer)
            }
        }
        if self.walks == 0 {
            self.legs = []
        }
    }

    /// Closes a leg and returns what it was.
    private func close(_ index: Int) -> State {
        let state = self.legs[index].state
        if case .closed = state {
            return state
        }
        self.legs[index].state = .closed
        self.legs[index].subscriber.liveLegs -= 1
        return state
    }

    /// Opens the leg's stream if it has none and the subscriber wants objects now.
    private func openIfWanted(_ index: Int) {
        guard case .waiting = self.legs[index].state else {
            return
        }
        let subscriber = self.legs[index].subscriber
        guard !subscriber.isOver, subscriber.publisher.forward else {
            return
        }
        var description = self.description
        description.isFirstObject = description.isFirstObject && !self.hasBegun
        guard let consumer = subscriber.publisher.beginSubgroup(description) else {
            // The filter leaves the group out, or no stream could be had; either way not this subgroup.
            _ = self.close(index)
            return
        }
        if case .waiting = self.legs[index].state {
            self.legs[index].state = .open(consumer)
        }
    }

    private func account(objects: UInt64, bytes: UInt64, hasRoom: Bool) {
        self.ledger.counters.objectsOut &+= objects
        self.ledger.counters.bytesOut &+= bytes
        if !hasRoom, objects > 0 || bytes > 0 {
            self.forwarder?.everybodyLags()
        }
    }

    /// Calls `body` for each leg that existed when the walk began. No leg is taken out meanwhile.
    private func walk(_ body: (Int) -> Void) {
        self.walks += 1
        // Legs are only added meanwhile, so every index stays valid.
        for index in 0..<self.legs.count {
            body(index)
        }
        self.walks -= 1
        if self.walks == 0, self.needsSweep || self.isOver {
            self.needsSweep = false
            self.legs.removeAll { self.isOver || $0.subscriber.isOver }
        }
    }
}
