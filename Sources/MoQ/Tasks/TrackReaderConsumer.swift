// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import DequeModule
import MoQWire
import WebTransport

/// Makes whole objects of what a subscription delivers and puts them into a reader's buffer. (loop)
final class TrackReaderConsumer: TrackConsumer {
    /// How many bytes objects that are not complete may hold together. They cannot be held back by pausing: nobody could
    /// take anything before they are complete.
    static let maximumUnfinishedByteCount = 64 << 20

    /// Kept by its session.
    weak var subscription: Subscription?
    let buffer: ElementBuffer<TrackReader.Item>

    private var unfinishedByteCount = 0
    private var streamCount: UInt64 = 0

    /// What came while the past of the track is being fetched; nil when it is not, or not any more.
    private var held: Deque<(item: TrackReader.Item, byteCount: Int)>?
    private var heldWeight = 0
    private let capacity: Int
    /// The fetch of the past.
    private var past: FetchReceiver?
    /// The end of the subscription that came before the end of the fetch.
    private var heldEnd: Result<Void, MoQError>?
    /// What lies before this group is not wanted.
    private var firstGroup: UInt64 = 0

    /// `capacity` is how many bytes may wait for the task that reads. With `joins` what comes is held back until
    /// ``join(_:from:parameters:response:)`` has brought what came before.
    init(capacity: Int, joins: Bool = false) {
        self.buffer = ElementBuffer(capacity: capacity)
        self.capacity = capacity
        self.held = joins ? [] : nil
    }

    func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
        guard subgroup.group >= self.firstGroup else {
            return nil
        }
        self.streamCount &+= 1
        return Assembler(subgroup, stream: self.streamCount, owner: self)
    }

    func receive(_ datagram: ObjectDatagram, payload: Bytes) {
        guard datagram.groupID >= self.firstGroup else {
            return
        }
        let object = TrackObject(
            location: Location(group: datagram.groupID, object: datagram.objectID),
            subgroup: nil,
            publisherPriority: datagram.publisherPriority ?? self.subscription?.defaultPublisherPriority ?? 128,
            properties: datagram.properties,
            status: datagram.status,
            payload: payload
        )
        if self.held == nil {
            self.buffer.appendOrDrop(.object(object, stream: 0), byteCount: object.byteCount)
        } else if self.heldWeight < self.capacity {
            self.append(.object(object, stream: 0), byteCount: object.byteCount)
        } else {
            self.buffer.countDropped()
        }
    }

    func trackEnded(_ end: TrackEnd) {
        guard self.held != nil else {
            self.buffer.finish(end.result)
            return
        }
        self.heldEnd = end.result
        if end.cause != .publishDone {
            self.pastEnded(end.result)
        }
    }

    /// The task that reads has made room.
    func makeRoom() {
        // It is full again by now, when datagrams came meanwhile.
        guard !self.buffer.isFull else {
            return
        }
        if let past = self.past {
            past.resume()
        } else {
            self.subscription?.resume()
        }
    }

    private func append(_ item: TrackReader.Item, byteCount: Int) {
        if self.held != nil {
            self.held?.append((item, byteCount))
            self.heldWeight += byteCount + ElementBuffer<TrackReader.Item>.overhead
            if self.heldWeight >= self.capacity {
                self.subscription?.pause()
            }
        } else if self.buffer.append(item, byteCount: byteCount) {
            self.subscription?.pause()
        }
    }

    // MARK: The past

    /// The publisher has accepted the subscription: fetches what came before it, from `start` on. `response` is called once,
    /// when that is under way, or there is nothing to fetch, or it cannot be had.
    func join(
        _ subscription: Subscription,
        from start: JoiningStart,
        parameters: FetchParameters,
        response: @escaping (Result<Void, MoQError>) -> Void
    ) {
        if case .group(let group) = start {
            self.firstGroup = group
        }
        guard let largest = subscription.largestObject, self.firstGroup <= largest.group else {
            self.pastEnded(.success(()))
            response(.success(()))
            return
        }
        var parameters = parameters
        parameters.groupOrder = nil
        let consumer = FetchReaderConsumer { [buffer] in
            buffer.append(.object($0, stream: 0), byteCount: $0.byteCount)
        } finish: { [weak self] in
            self?.pastEnded($0)
        }
        let receiver = subscription.fetch(from: start, parameters: parameters, consumer: consumer) { result in
            switch result {
            case .success:
                response(.success(()))
            case .failure(let error) where error.requestError == .noObjects:
                // Draft 14 has a word for a past that is empty.
                self.pastEnded(.success(()))
                response(.success(()))
            case .failure(let error):
                // The subscription that ended takes the fetch along.
                let cause = self.heldEnd.flatMap(\.failure) ?? error
                self.pastEnded(.failure(cause))
                response(.failure(cause))
            }
        }
        consumer.receiver = receiver
        self.past = receiver
    }

    /// Everything that there is of the past is in the buffer, or will never be.
    private func pastEnded(_ result: Result<Void, MoQError>) {
        guard let held = self.held else {
            return
        }
        let past = self.past
        self.held = nil
        self.past = nil
        self.heldWeight = 0
        if case .failure = result {
            self.buffer.finish(result)
            past?.cancel()
            self.subscription?.cancel()
            return
        }
        for (item, byteCount) in held {
            self.buffer.append(item, byteCount: byteCount)
        }
        if let end = self.heldEnd {
            self.buffer.finish(end)
        } else if self.buffer.isFull {
            self.subscription?.pause()
        } else {
            self.subscription?.resume()
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

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self {
            return error
        }
        return nil
    }
}
