// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// A subgroup that a task writes: what ``GroupWriter`` does on the loop. (loop)
final class SubgroupSource {
    let description: SubgroupDescription
    /// Where its objects go; nil while nobody gets them.
    var consumer: (any SubgroupConsumer)?

    private let source: TrackSource
    private var nextObject: UInt64 = 0
    private var isOver = false

    init(_ description: SubgroupDescription, source: TrackSource) {
        self.description = description
        self.source = source
    }

    /// Whether an object was written.
    var hasBegun: Bool {
        self.nextObject > 0
    }

    /// The last object that was written.
    var lastObject: UInt64? {
        self.hasBegun ? self.nextObject - 1 : nil
    }

    /// Writes objects, all of them or none.
    func write(_ payloads: [Bytes], from id: UInt64?, properties: PropertyList) -> TrackSource.Step<Void> {
        guard !self.isOver else {
            return .failed(MoQError(code: .invalidState, message: "the group was finished"))
        }
        guard properties.isEmpty || self.description.hasProperties else {
            return .failed(MoQError(code: .invalidState, message: "the group was begun without properties"))
        }
        guard (id ?? self.nextObject) >= self.nextObject else {
            return .failed(MoQError(code: .invalidState, message: "objects of a group go in order"))
        }
        let room = self.source.room()
        guard case .done = room else {
            return room
        }
        self.nextObject = id ?? self.nextObject
        for payload in payloads {
            self.write(payload, properties)
        }
        return .done(())
    }

    private func write(_ payload: Bytes, _ properties: PropertyList) {
        let id = self.nextObject
        self.nextObject &+= 1
        self.source.note(
            Location(group: self.description.group, object: id),
            subgroup: self.description.subgroup,
            priority: self.description.publisherPriority,
            properties: properties,
            payload: payload
        )
        guard let consumer = self.consumer else {
            return
        }
        guard self.source.publisher?.forward ?? false else {
            // What is left out must not look complete. When objects are wanted again, the rest gets a stream of its own.
            self.consumer = nil
            consumer.reset(.cancelled)
            return
        }
        consumer.beginObject(
            ObjectHeader(objectID: id, properties: properties, payloadLength: UInt64(payload.count))
        )
        if !payload.isEmpty {
            consumer.receive(payload: payload)
        }
    }

    /// The subgroup is complete.
    func finish() {
        self.end { $0.finish() }
    }

    /// The subgroup will not be complete.
    func reset() {
        self.end { $0.reset(.cancelled) }
    }

    private func end(_ body: (any SubgroupConsumer) -> Void) {
        guard !self.isOver else {
            return
        }
        self.isOver = true
        self.source.remove(self)
        let consumer = self.consumer
        self.consumer = nil
        if let consumer {
            body(consumer)
        }
    }
}
