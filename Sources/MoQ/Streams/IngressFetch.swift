// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import WebTransport

/// The stream of a fetch, from its first byte. Loop only.
///
/// ```
///   header ──► held ──► reading ──► over
///      └───────────────────┴───────────▲
/// ```
///
/// The request is looked up once. Until it is answered the stream is held back, which closes its window: there is at most
/// one such stream for each request of ours, so nothing else bounds them.
final class IngressFetch: ReceiveStreamReader {
    private enum State {
        case header
        case held
        case reading
        case over
    }

    private let session: MoQSession
    private let stream: ReceiveStream
    private var parser: FetchStreamParser
    private var sequence = FetchSequence(groupOrder: .ascending)
    private var integrity: TrackIntegrity
    private var state: State = .header
    private var receiver: FetchReceiver?
    /// What is left of a complete stream that may not be read on.
    private var heldBytes: Bytes?

    /// Takes over a stream that counts among the live ones already.
    init(session: MoQSession, stream: ReceiveStream) {
        self.session = session
        self.stream = stream
        self.integrity = TrackIntegrity(profile: session.profile)
        self.parser = FetchStreamParser(
            profile: session.profile,
            propertiesLimit: session.configuration.maxObjectPropertiesByteCount
        )
        session.totals.streamsReceived &+= 1
    }

    // MARK: Flow

    /// Holds back what arrives.
    func pause() {
        self.stream.pause()
    }

    /// Reads on; after the answer for the first time.
    func resume() {
        if self.state == .held {
            self.state = .reading
        }
        guard let bytes = self.heldBytes else {
            self.stream.resume()
            return
        }
        self.heldBytes = nil
        _ = self.read(bytes.span, isFinished: true)
    }

    /// The stream is not wanted (any more). The receiver knows.
    func stop(_ code: StreamResetCode) {
        guard self.state != .over else {
            return
        }
        self.session.totals.streamsStopped &+= 1
        self.stream.stopSending(code: code.wireValue(in: self.session.profile))
        self.over()
    }

    // MARK: Reading

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        self.read(bytes, isFinished: isFinished)
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        let receiver = self.over()
        receiver?.streamReset(StreamResetCode(wireValue: code, in: self.session.profile))
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        // The session tells the requests themselves.
        self.over()
    }

    private func read(_ bytes: RawSpan, isFinished: Bool) -> Int {
        var offset = 0
        do throws(MoQWireError) {
            reading: while true {
                let rest = bytes.extracting(offset...)
                guard self.state != .over else {
                    return bytes.byteCount
                }
                guard self.state != .held, self.receiver?.isPaused != true else {
                    return self.keep(rest, consumed: offset, isFinished: isFinished)
                }
                let (event, consumed) = try self.parser.next(in: rest)
                if case .needMore = event {
                    break reading
                }
                self.handle(event, rest)
                offset += consumed
            }
            if isFinished {
                try self.parser.finish(unread: bytes.byteCount - offset)
                self.over()?.streamFinished()
            }
        } catch {
            self.failed(error)
            return bytes.byteCount
        }
        return offset
    }

    /// Leaves bytes for later. Those of a finished stream would be dropped, so they wait here.
    private func keep(_ rest: RawSpan, consumed: Int, isFinished: Bool) -> Int {
        guard isFinished else {
            return consumed
        }
        self.heldBytes = Bytes(copying: rest)
        return consumed + rest.byteCount
    }

    private func handle(_ event: FetchStreamParser.Event, _ bytes: RawSpan) {
        switch event {
        case .header(let id):
            self.begin(id)
        case .object(let object):
            guard self.sequence.admitObject(at: object.location) else {
                self.malformed(MalformedTrack("an object of the fetch comes out of order"))
                return
            }
            do throws(MalformedTrack) {
                try self.integrity.beginFetched(object)
            } catch {
                self.malformed(error)
                return
            }
            self.session.totals.objectsReceived &+= 1
            self.receiver?.consumer?.beginObject(object)
        case .endOfRange(let gap, let location):
            guard self.sequence.admitEndOfRange(at: location) else {
                self.malformed(MalformedTrack("the end of a range of the fetch comes out of order"))
                return
            }
            self.receiver?.consumer?.endRange(gap, through: location)
        case .payload(let count, _):
            self.session.totals.payloadBytesReceived &+= UInt64(count)
            // Inside of the call, so that nothing is copied for nobody.
            self.receiver?.consumer?.receive(
                payload: self.stream.keep(
                    bytes.extracting(first: count),
                    followedBy: self.parser.remainingPayload
                )
            )
        case .needMore:
            break
        }
    }

    private func begin(_ id: RequestID) {
        // A fetch is known before its stream can come, so whoever is not known is over, or never was.
        guard let receiver = self.session.requests[id] as? FetchReceiver else {
            self.stop(.cancelled)
            return
        }
        switch receiver.attach(self) {
        case .stop:
            self.stop(.cancelled)
            return
        case .hold:
            self.state = .held
            self.stream.pause()
        case .read:
            self.state = .reading
            if receiver.isPaused {
                self.stream.pause()
            }
        }
        self.receiver = receiver
        self.parser.groupOrder = receiver.groupOrder
        self.sequence = FetchSequence(groupOrder: receiver.groupOrder)
    }

    private func malformed(_ error: MalformedTrack) {
        self.receiver?.malformed(error)
    }

    private func failed(_ error: MoQWireError) {
        switch error.kind {
        case .violation:
            self.over()
            self.session.close(ProtocolViolation(error.code, error.reason))
        default:
            // Beyond a limit of ours: only this fetch suffers.
            guard let receiver = self.receiver else {
                self.stop(.internalError)
                return
            }
            receiver.refused(error.reason)
        }
    }

    /// Ends the stream for this side, and returns who has to be told.
    @discardableResult
    private func over() -> FetchReceiver? {
        guard self.state != .over else {
            return nil
        }
        self.state = .over
        self.heldBytes = nil
        self.session.totals.liveStreamsIn -= 1
        let receiver = self.receiver
        self.receiver = nil
        return receiver
    }
}
