// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
import PacketLoop
import WebTransport

/// A fetch as a sequence of whole objects, read by a task anywhere.
///
/// Objects come in the order of the request; what lies between two of them does not exist, or the publisher does not have
/// it. A task that reads too slowly stops the publisher. The sequence ends when everything was delivered, and otherwise
/// throws, as that of ``TrackReader`` does; cancelling the task that reads, or letting the reader go, cancels the fetch.
public final class FetchReader: AsyncSequence, Sendable {
    /// The track.
    public let track: FullTrackName
    /// What the publisher answered: where the response ends, and the properties of the track.
    public let answer: FetchOk
    let receiver: LoopBound<FetchReceiver>
    let buffer: ElementBuffer<TrackObject>

    /// Made on the loop, when the publisher has accepted.
    init(_ receiver: FetchReceiver, answer: FetchOk, buffer: ElementBuffer<TrackObject>) {
        self.track = receiver.track
        self.answer = answer
        self.receiver = LoopBound(receiver, on: receiver.session.loop)
        self.buffer = buffer
    }

    deinit {
        self.cancel()
    }

    /// Ends the fetch; the sequence then throws ``MoQError/Code/cancelled`` after what has arrived. Callable from
    /// anywhere, and more than once.
    public func cancel() {
        self.receiver.loop.post { [receiver] in
            receiver.value.cancel()
        }
    }

    /// Starts to read where the last iterator stopped.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(reader: self)
    }

    /// Reads object by object.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let reader: FetchReader

        /// The next object; nil at the end of the fetch.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MoQError) -> TrackObject? {
            try await self.reader.next()
        }
    }

    private func next() async throws(MoQError) -> TrackObject? {
        do throws(MoQError) {
            return try await self.buffer.next {
                self.receiver.loop.post { [receiver] in
                    receiver.value.resume()
                }
            }
        } catch {
            if error.code == .cancelled {
                self.cancel()
            }
            throw error
        }
    }
}

/// Makes whole objects of what a fetch delivers and puts them into a reader's buffer. (loop)
final class FetchReaderConsumer: FetchConsumer {
    /// Kept by its session.
    weak var receiver: FetchReceiver?

    private let add: (TrackObject) -> Bool
    private let finish: (Result<Void, MoQError>) -> Void
    private var assembly = ObjectAssembly()

    /// `add` takes an object and returns whether there is no more room; `finish` is told how the fetch ended.
    init(add: @escaping (TrackObject) -> Bool, finish: @escaping (Result<Void, MoQError>) -> Void) {
        self.add = add
        self.finish = finish
    }

    convenience init(buffer: ElementBuffer<TrackObject>) {
        self.init {
            buffer.append($0, byteCount: $0.byteCount)
        } finish: {
            buffer.finish($0)
        }
    }

    func beginObject(_ object: FetchObjectHeader) {
        self.append(
            self.assembly.begin(
                TrackObject(
                    location: object.location,
                    subgroup: object.subgroupID,
                    publisherPriority: object.publisherPriority,
                    properties: object.properties,
                    status: object.status,
                    payload: Bytes()
                ),
                payloadLength: object.payloadLength
            )
        )
    }

    func receive(payload: Bytes) {
        self.append(self.assembly.receive(payload))
        guard self.assembly.heldByteCount > TrackReaderConsumer.maximumUnfinishedByteCount else {
            return
        }
        let text = "an unfinished object holds \(self.assembly.heldByteCount) bytes"
        self.finish(.failure(MoQError(code: .limitExceeded, message: text)))
        self.receiver?.cancel()
    }

    func endRange(_ gap: FetchGap, through location: Location) {}

    func fetchEnded(_ outcome: FetchOutcome) {
        switch outcome {
        case .complete:
            self.finish(.success(()))
        case .reset(let code):
            self.finish(.failure(MoQError(code: .endedEarly, message: "the fetch was given up: \(code)")))
        case .malformedTrack(let reason):
            self.finish(.failure(MoQError(code: .endedEarly, message: "the track is malformed: \(reason)")))
        case .cancelled:
            self.finish(.failure(MoQError(code: .cancelled, message: "the fetch was cancelled")))
        case .sessionClosed:
            self.finish(.failure(MoQError(code: .sessionClosed, message: "the session closed")))
        }
    }

    private func append(_ object: TrackObject?) {
        guard let object else {
            return
        }
        if self.add(object) {
            self.receiver?.pause()
        }
    }
}
