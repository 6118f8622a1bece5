// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter
import MoQ
import MoQRelay
public import MoQWire
import PacketLoop
import WebTransport

/// A relay with one publisher and some subscribers on one thread, where what it does for an object is counted: from the bytes
/// that arrive on the session of the publisher until a transport has taken those for every subscriber. Loop only.
///
/// What the publisher sends is made before, and where it goes is nobody.
public final class ForwardingStage {
    /// What an object costs in the relay and its sessions.
    public struct Cost: Hashable, Sendable {
        /// However many subscribers there are.
        public var ingress: OperationCount
        /// For each subscriber in addition.
        public var subscriber: OperationCount
    }

    private let scene: StageScene
    private let driver: ManualLoopDriver
    private let relay: MoQRelay
    private let publisher: StageClient
    private let subscribers: [StageClient]
    private var stream: (any SubgroupConsumer)?
    private var nextObject: UInt64 = 0
    private let payload: Bytes

    /// What arrives at the relay in the next round.
    private var bytes: [UInt8] = []
    private var arrivals: [Arrival] = []

    private struct Arrival {
        /// Nil for a datagram.
        var stream: StreamID?
        var start: Int
        var count: Int
        var isFinal: Bool
    }

    /// Connects everybody, and lets the subscribers subscribe.
    public init(_ scene: StageScene, subscribers: Int, profile: DraftProfile = .draft18) {
        let loop = ManualLoopDriver.makeLoop(label: "stage")
        let relay = MoQRelay(loop: loop)
        self.scene = scene
        self.driver = ManualLoopDriver(loop: loop)
        self.relay = relay
        self.publisher = StageClient(of: relay, profile: profile)
        self.subscribers = (0..<subscribers).map { _ in StageClient(of: relay, profile: profile) }
        self.payload = Bytes([UInt8](repeating: 7, count: scene.objectSize))
        self.settle()
        let track = FullTrackName(namespace: TrackNamespace(path: "stage"), name: "track")
        self.publisher.announce(track.namespace)
        self.settle()
        for subscriber in self.subscribers {
            subscriber.subscribe(to: track)
        }
        self.settle()
    }

    /// What an object costs after a while, when every queue has grown to its size: what there is for ten subscribers more is
    /// divided among them.
    public static func cost(of scene: StageScene, profile: DraftProfile = .draft18) -> Cost {
        let objects = 100
        let few = 2
        let more = 10
        var counts: [OperationCount] = []
        for number in [few, few + more] {
            let stage = ForwardingStage(scene, subscribers: number, profile: profile)
            stage.round(objects: objects)
            stage.round(objects: objects)
            counts.append(stage.round(objects: objects) * (1 / Double(objects)))
            stage.close()
        }
        let subscriber = (counts[1] - counts[0]) * (1 / Double(more))
        return Cost(ingress: counts[0] - subscriber * Double(few), subscriber: subscriber)
    }

    /// How many objects the relay handed to subscribers.
    public var objectsOut: UInt64 {
        self.relay.counters.objectsOut
    }

    /// How many bytes the transports of all subscribers took since everybody was connected.
    public var bytesOut: Int {
        self.subscribers.reduce(0) { $0 + $1.far.discardedByteCount }
    }

    /// Sends so many objects to everybody, and says what the relay and its sessions did for them.
    @discardableResult
    public func round(objects count: Int) -> OperationCount {
        self.prepare(objects: count)
        operation_counter_reset()
        self.forward()
        operation_counter_pause()
        self.settle()
        return OperationCount(operation_counter_read())
    }

    /// Ends all sessions.
    public func close() {
        self.stream = nil
        for client in self.subscribers + [self.publisher] {
            client.close()
        }
        self.driver.stop()
    }

    /// Carries everything about until everybody is done.
    private func settle() {
        var isBusy = true
        while isBusy {
            self.driver.runUntilIdle()
            isBusy = self.publisher.exchange()
            for subscriber in self.subscribers where subscriber.exchange() {
                isBusy = true
            }
        }
    }

    // MARK: One round

    /// Lets the publisher send, and keeps what it sends.
    private func prepare(objects count: Int) {
        self.bytes.removeAll(keepingCapacity: true)
        self.arrivals.removeAll(keepingCapacity: true)
        for _ in 0..<count {
            self.publish()
            self.nextObject += 1
            _ = self.publisher.near.take(piece: self.scene.piece) { stream, bytes, isFinal in
                self.arrivals.append(
                    Arrival(stream: stream, start: self.bytes.count, count: bytes.count, isFinal: isFinal)
                )
                self.bytes += bytes
            }
        }
    }

    private func publish() {
        guard let publisher = self.publisher.publisher else {
            return
        }
        switch self.scene.way {
        case .oneSubgroup:
            self.stream = self.stream ?? publisher.beginSubgroup(SubgroupDescription(group: 0))
            self.write(object: self.nextObject)
        case .subgroupEach:
            self.stream = publisher.beginSubgroup(SubgroupDescription(group: self.nextObject))
            self.write(object: 0)
            self.stream?.finish()
        case .datagrams:
            let datagram = ObjectDatagram(
                trackAlias: publisher.trackAlias,
                groupID: self.nextObject / 100,
                objectID: self.nextObject % 100,
                publisherPriority: 128
            )
            publisher.receive(datagram, payload: self.payload)
        }
    }

    private func write(object: UInt64) {
        self.stream?.beginObject(ObjectHeader(objectID: object, payloadLength: UInt64(self.payload.count)))
        self.stream?.receive(payload: self.payload)
    }

    /// Lets it arrive at the relay, piece after piece, and takes what the relay sends before the next piece comes.
    ///
    /// Instruments that count instructions look for this function.
    @inline(never)
    private func forward() {
        let transport = self.publisher.far
        let manager = transport.manager
        let subscribers = self.subscribers.map(\.far)
        let bytes = self.bytes
        for arrival in self.arrivals {
            let piece = unsafe bytes.span.bytes.extracting(arrival.start..<arrival.start + arrival.count)
            if let id = arrival.stream {
                operation_counter_resume()
                guard let token = transport.token(of: id) else {
                    operation_counter_pause()
                    continue
                }
                manager.received(piece, isFinished: arrival.isFinal, on: token)
            } else {
                operation_counter_resume()
                manager.receivedDatagram(piece)
            }
            operation_counter_pause()
            for subscriber in subscribers {
                subscriber.discard(room: self.scene.piece)
            }
        }
    }
}
