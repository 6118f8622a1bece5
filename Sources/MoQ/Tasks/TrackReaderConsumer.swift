// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// Makes whole objects of what a subscription delivers and puts them into a reader's buffer. (loop)
final class TrackReaderConsumer: TrackConsumer {
    /// How many bytes objects that are not complete may hold together. They cannot be held back by pausing: nobody could
    /// take anything before they are complete.
    static let maximumUnfinishedByteCount = 64 << 20

    /// Kept by its session.
    weak var subscription: Subscription?

    private let buffer: ElementBuffer<TrackReader.Item>
    private var unfinishedByteCount = 0
    private var streamCount: UInt64 = 0

    init(buffer: ElementBuffer<TrackReader.Item>) {
        self.buffer = buffer
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        self.streamCount &+= 1
        return Assembler(subgroup, stream: self.streamCount, owner: self)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        let object = TrackObject(
            location: Location(group: datagram.groupID, object: datagram.objectID),
            subgroup: nil,
            publisherPriority: datagram.publisherPriority ?? self.subscription?.defaultPublisherPriority ?? 128,
            properties: datagram.properties,
            status: datagram.status,
            payload: payload
        )
        self.buffer.appendOrDrop(.object(object, stream: 0), byteCount: object.byteCount)
    }

    func trackEnded(_ end: TrackEnd) {
        self.buffer.finish(end.result)
    }

    private func append(_ item: TrackReader.Item, byteCount: Int) {
        if self.buffer.append(item, byteCount: byteCount) {
            self.subscription?.pause()
        }
    }

    /// What an unfinished object holds has changed.
    private func countUnfinished(_ change: Int) {
        self.unfinishedByteCount += change
        guard change > 0, self.unfinishedByteCount > Self.maximumUnfinishedByteCount else {
            return
        }
        let text = "unfinished objects hold \(self.unfinishedByteCount) bytes"
        self.buffer.finish(.failure(MoQError(code: .limitExceeded, message: text)))
        self.subscription?.cancel()
    }

    /// One subgroup.
    private final class Assembler: SubgroupConsumer {
        private let description: SubgroupDescription
        private let stream: UInt64
        private let owner: TrackReaderConsumer
        private var assembly = ObjectAssembly()

        init(_ description: SubgroupDescription, stream: UInt64, owner: TrackReaderConsumer) {
            self.description = description
            self.stream = stream
            self.owner = owner
        }

        func beginObject(_ object: ObjectHeader) {
            self.change { assembly in
                assembly.begin(
                    TrackObject(
                        location: Location(group: self.description.group, object: object.objectID),
                        subgroup: self.description.subgroup,
                        publisherPriority: self.description.publisherPriority,
                        properties: object.properties,
                        status: object.status,
                        payload: Bytes()
                    ),
                    payloadLength: object.payloadLength
                )
            }
        }

        func receive(payload: Bytes) {
            self.change { $0.receive(payload) }
        }

        func finish() {
            self.end(isComplete: true)
        }

        func reset(_ code: StreamResetCode) {
            self.end(isComplete: false)
        }

        private func end(isComplete: Bool) {
            self.change { assembly in
                assembly.clear()
                return nil
            }
            self.owner.append(.end(self.description, stream: self.stream, isComplete: isComplete), byteCount: 0)
        }

        private func change(_ body: (inout ObjectAssembly) -> TrackObject?) {
            let before = self.assembly.heldByteCount
            let object = body(&self.assembly)
            self.owner.countUnfinished(self.assembly.heldByteCount - before)
            if let object {
                self.owner.append(.object(object, stream: self.stream), byteCount: object.byteCount)
            }
        }
    }
}

extension TrackEnd {
    /// How a sequence of the track's objects ends.
    var result: Result<Void, MoQError> {
        let text = self.reason.isEmpty ? "\(self.status)" : "\(self.status), \(self.reason)"
        switch (self.cause, self.status) {
        case (.publishDone, .trackEnded), (.publishDone, .subscriptionEnded):
            return .success(())
        case (.publishDone, _):
            return .failure(MoQError(code: .endedEarly, message: "the track ended early: \(text)"))
        case (.cancelledByPeer, _):
            return .failure(MoQError(code: .cancelledByPeer, message: "the publisher gave the track up: \(text)"))
        case (.malformed, _):
            return .failure(MoQError(code: .endedEarly, message: "the track is malformed: \(text)"))
        case (.cancelled, _):
            return .failure(MoQError(code: .cancelled, message: "the subscription was cancelled"))
        case (.sessionClosed, _):
            return .failure(MoQError(code: .sessionClosed, message: "the session closed: \(text)"))
        }
    }
}
