// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// A track that a test publishes, object by object.
final class TestTrack: TrackPublisherDelegate {
    private(set) var publisher: TrackPublisher?
    /// Every change of the forward state.
    private(set) var forwardChanges: [Bool] = []
    /// Every other change of what the subscriber wants.
    private(set) var updates: [SubscriptionParameters] = []
    private(set) var ends: [TrackPublisherEnd] = []
    private(set) var drains = 0
    /// The answers to PUBLISH.
    var results: [Result<PublishOkInfo, MoQError>] = []

    func use(_ publisher: TrackPublisher) {
        self.publisher = publisher
        publisher.delegate = self
    }

    var forward: Bool {
        self.publisher?.forward ?? false
    }

    /// Opens a subgroup; nil when the publisher takes none now.
    func open(
        group: UInt64,
        subgroup: UInt64 = 0,
        priority: UInt8 = 128,
        hasProperties: Bool = false,
        containsEndOfGroup: Bool = false
    ) -> (any SubgroupConsumer)? {
        self.publisher?.beginSubgroup(
            SubgroupDescription(
                group: group,
                subgroup: subgroup,
                publisherPriority: priority,
                hasProperties: hasProperties,
                containsEndOfGroup: containsEndOfGroup
            )
        )
    }

    /// Sends a whole subgroup of `count` objects and finishes it.
    func send(group: UInt64, subgroup: UInt64 = 0, count: Int, size: Int = 32) {
        let stream = self.open(group: group, subgroup: subgroup)
        for object in 0..<count {
            stream?.send(object: UInt64(object), size: size)
        }
        stream?.finish()
    }

    func end(_ status: PublishDoneStatus = .trackEnded) {
        self.publisher?.end(status, reason: "")
    }

    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        self.forwardChanges.append(forward)
    }

    func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters) {
        self.updates.append(parameters)
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.drains += 1
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        self.ends.append(end)
    }
}

extension SubgroupConsumer {
    /// Sends one whole object with a payload of that many bytes, each of which is the object's id.
    func send(object: UInt64, size: Int, properties: PropertyList = PropertyList()) {
        self.beginObject(
            ObjectHeader(objectID: object, properties: properties, payloadLength: UInt64(size))
        )
        if size > 0 {
            self.receive(payload: Bytes([UInt8](repeating: UInt8(truncatingIfNeeded: object), count: size)))
        }
    }
}
