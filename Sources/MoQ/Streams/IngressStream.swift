// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import PacketLoop
import WebTransport

/// A unidirectional stream of the peer, from its first byte: usually a subgroup. Loop only.
///
/// ```
///   unknown ──► control (draft 18)
///      │ ├────► fetch
///      │ └────► padding
///      └──► header ──► subgroup ──► over
///             └──► held ──┘   (nobody knows the track alias yet)
/// ```
///
/// The track alias is looked up once; after that objects go to the consumer without another look at any table.
final class IngressStream: ReceiveStreamReader {
    private enum State {
        case unknown
        case control(MessageStream)
        case fetch(IngressFetch)
        case padding
        case header
        case held
        case subgroup
        case over
    }

    /// Where the stream is in the list of its subscription.
    var index = 0

    private let session: MoQSession
    private let stream: ReceiveStream
    private var parser: SubgroupStreamParser
    private var state: State = .unknown
    private var header: SubgroupHeader?
    private var subscription: Subscription?
    private var consumer: (any SubgroupConsumer)?
    private var watch: SubgroupWatch?
    private var holdTimer: LoopTimer?
    /// What is left of a complete stream while it is held back.
    private var heldBytes: Bytes?

    init(session: MoQSession, stream: ReceiveStream) {
        self.session = session
        self.stream = stream
        self.parser = SubgroupStreamParser(
            profile: session.profile,
            propertiesLimit: session.configuration.maxObjectPropertiesByteCount
        )
        session.totals.liveStreamsIn += 1
    }

    /// The alias that the stream waits for, while it is held back.
    var heldAlias: TrackAlias? {
        guard case .held = self.state else {
            return nil
        }
        return self.header?.trackAlias
    }

    // MARK: Flow

    /// Holds back what arrives.
    func pause() {
        self.stream.pause()
    }

    /// Reads on.
    func resume() {
        self.stream.resume()
    }

    /// The stream is not wanted (any more): the consumer sees a reset, the peer STOP_SENDING.
    func stop(_ code: StreamResetCode) {
        if case .over = self.state {
            return
        }
        self.session.totals.streamsStopped &+= 1
        self.stream.stopSending(code: code.wireValue(in: self.session.profile))
        self.finished { $0.reset(code) }
    }

    /// The subscription that a held stream waited for is there.
    func claimed(by subscription: Subscription) {
        guard case .held = self.state else {
            return
        }
        self.holdTimer?.cancel()
        self.holdTimer = nil
        self.attach(to: subscription)
        guard let bytes = self.heldBytes else {
            if !subscription.isPaused {
                self.stream.resume()
            }
            return
        }
        self.heldBytes = nil
        _ = self.read(bytes.span, isFinished: true)
    }

    /// The session is over while the stream was held back.
    func sessionClosed() {
        self.finished { $0.reset(.sessionClosed) }
    }

    // MARK: Reading

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        if let successor = self.successor {
            return successor.receiveStream(stream, didReceive: bytes, isFinished: isFinished)
        }
        return self.read(bytes, isFinished: isFinished)
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        if let successor = self.successor {
            successor.receiveStream(stream, wasResetWith: code)
            return
        }
        self.finished { $0.reset(StreamResetCode(wireValue: code, in: self.session.profile)) }
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {
        if let successor = self.successor {
            successor.receiveStreamSessionClosed(stream)
            return
        }
        self.finished { $0.reset(.sessionClosed) }
    }

    /// Who has taken over, because it is no stream of a subgroup.
    private var successor: (any ReceiveStreamReader)? {
        switch self.state {
        case .control(let control): control
        case .fetch(let fetch): fetch
        case .unknown, .padding, .header, .held, .subgroup, .over: nil
        }
    }

    private func read(_ bytes: RawSpan, isFinished: Bool) -> Int {
        var offset = 0
        do throws(MoQWireError) {
            reading: while true {
                let rest = bytes.extracting(offset...)
                switch self.state {
                case .over:
                    return bytes.byteCount
                case .padding:
                    offset = bytes.byteCount
                    break reading
                case .unknown:
                    guard let type = try UniStreamType.decode(rest, in: self.session.profile) else {
                        break reading
                    }
                    try self.begin(type)
                case .control(let control):
                    return offset + control.receiveStream(self.stream, didReceive: rest, isFinished: isFinished)
                case .fetch(let fetch):
                    return offset + fetch.receiveStream(self.stream, didReceive: rest, isFinished: isFinished)
                case .held:
                    return self.hold(rest, consumed: offset, isFinished: isFinished)
                case .header, .subgroup:
                    // What is left of a finished stream would be dropped, so it is read in spite of a pause.
                    if let subscription = self.subscription, subscription.isPaused, !isFinished {
                        break reading
                    }
                    // A copy is cheaper than what the language does to see that nobody else uses the parser meanwhile.
                    var parser = self.parser
                    let (event, consumed) = try parser.next(in: rest)
                    self.parser = parser
                    if case .needMore = event {
                        break reading
                    }
                    self.handle(event, rest, remainingPayload: parser.remainingPayload)
                    offset += consumed
                }
            }
            if isFinished {
                try self.end(unread: bytes.byteCount - offset)
            }
        } catch {
            self.failed(error)
            return bytes.byteCount
        }
        self.subscription?.countReceived(offset)
        return offset
    }

    private func begin(_ type: UniStreamType) throws(MoQWireError) {
        switch type {
        case .control:
            self.session.totals.liveStreamsIn -= 1
            guard let control = self.session.makePeerControlStream(self.stream) else {
                self.state = .over
                throw MoQWireError(code: .protocolViolation, reason: "second control stream")
            }
            self.state = .control(control)
        case .subgroup:
            self.state = .header
            self.session.totals.streamsReceived &+= 1
        case .padding:
            self.state = .padding
        case .fetch:
            self.state = .fetch(IngressFetch(session: self.session, stream: self.stream))
        }
    }

    private func handle(_ event: SubgroupStreamParser.Event, _ bytes: RawSpan, remainingPayload: UInt64) {
        switch event {
        case .header(let header):
            self.header = header
            self.findSubscription(of: header)
        case .object(let object):
            self.session.totals.objectsReceived &+= 1
            if self.consumer == nil {
                self.beginSubgroup(firstObject: object.objectID)
            }
            let isSound = self.judge { (integrity, watch) throws(MalformedTrack) in
                try integrity.begin(object, in: watch)
            }
            if isSound {
                self.consumer?.beginObject(object)
            }
        case .payload(let count, let isLast):
            self.session.totals.payloadBytesReceived &+= UInt64(count)
            let payload = bytes.extracting(first: count)
            self.watch?.receive(payload: payload)
            let isSound =
                !isLast
                || self.judge { (integrity, watch) throws(MalformedTrack) in
                    try integrity.complete(watch)
                }
            if isSound {
                // Inside of the call, so that nothing is copied for nobody.
                self.consumer?.receive(payload: self.stream.keep(payload, followedBy: remainingPayload))
            }
        case .needMore:
            break
        }
    }

    private func end(unread: Int) throws(MoQWireError) {
        switch self.state {
        case .over, .control, .fetch, .held:
            break
        case .padding:
            self.finished { _ in }
        case .unknown:
            // A stream without a single byte says nothing, and so nothing wrong.
            guard unread == 0 else {
                throw MoQWireError(code: .protocolViolation, reason: "unidirectional stream ends inside its type")
            }
            self.finished { _ in }
        case .header, .subgroup:
            let parser = self.parser
            try parser.finish(unread: unread)
            let endsGroup = self.header?.containsEndOfGroup ?? false
            let isSound = self.judge { (integrity, watch) throws(MalformedTrack) in
                try integrity.finish(watch, containsEndOfGroup: endsGroup)
            }
            if isSound {
                self.finished { $0.finish() }
            }
        }
    }

    /// Has the rules of the object model applied to what came. Returns false when it breaks one; then the subscription is
    /// over, and this stream with it.
    private func judge(
        _ body: (inout TrackIntegrity, SubgroupWatch) throws(MalformedTrack) -> Void
    ) -> Bool {
        guard let subscription = self.subscription, let watch = self.watch else {
            return true
        }
        do throws(MalformedTrack) {
            try body(&subscription.integrity, watch)
            return true
        } catch {
            subscription.malformed(error)
            return false
        }
    }

    private func failed(_ error: MoQWireError) {
        switch error.kind {
        case .violation:
            self.session.close(ProtocolViolation(error.code, error.reason))
            self.finished { $0.reset(.sessionClosed) }
        default:
            // Beyond a limit of ours: only this stream suffers.
            self.stop(.internalError)
        }
    }

    // MARK: The subscription

    private func findSubscription(of header: SubgroupHeader) {
        if let subscription = self.session.aliases[header.trackAlias] {
            self.attach(to: subscription)
        } else if self.session.hold(self, alias: header.trackAlias) {
            self.state = .held
            self.stream.pause()
            self.holdTimer = self.session.loop.schedule(
                after: self.session.configuration.heldStreamTimeout
            ) { [weak self] in
                self?.stop(.cancelled)
            }
        } else {
            self.stop(.cancelled)
        }
    }

    private func hold(_ rest: RawSpan, consumed: Int, isFinished: Bool) -> Int {
        guard isFinished else {
            return consumed
        }
        self.heldBytes = Bytes(copying: rest)
        return consumed + rest.byteCount
    }

    private func attach(to subscription: Subscription) {
        self.state = .subgroup
        self.subscription = subscription
        subscription.attach(self)
        if let header = self.header, header.subgroupID != .firstObject {
            self.beginSubgroup(firstObject: 0)
        }
    }

    private func beginSubgroup(firstObject: UInt64) {
        guard let header = self.header, let subscription = self.subscription else {
            return
        }
        let description = SubgroupDescription(
            group: header.groupID,
            subgroup: header.subgroupID.subgroupID(firstObject: firstObject),
            publisherPriority: header.publisherPriority ?? subscription.defaultPublisherPriority,
            hasExplicitPriority: header.publisherPriority != nil,
            hasProperties: header.hasProperties,
            containsEndOfGroup: header.containsEndOfGroup,
            isFirstObject: header.isFirstObject
        )
        do throws(MalformedTrack) {
            self.watch = try subscription.integrity.openSubgroup(
                description.subgroup,
                ofGroup: description.group,
                priority: description.publisherPriority
            )
        } catch {
            subscription.malformed(error)
            return
        }
        let consumer = subscription.consumer?.beginSubgroup(description)
        guard let consumer else {
            self.stop(.cancelled)
            return
        }
        if case .over = self.state {
            // The consumer ended the subscription while it was asked.
            consumer.reset(.cancelled)
            return
        }
        self.consumer = consumer
    }

    /// Ends the stream for this side, and tells the consumer how.
    private func finished(_ tell: (any SubgroupConsumer) -> Void) {
        switch self.state {
        case .over, .control, .fetch:
            return
        case .held:
            self.session.releaseHeld(self)
        case .unknown, .padding, .header, .subgroup:
            break
        }
        self.state = .over
        self.holdTimer?.cancel()
        self.holdTimer = nil
        self.heldBytes = nil
        self.session.totals.liveStreamsIn -= 1
        let consumer = self.consumer
        let subscription = self.subscription
        self.consumer = nil
        self.subscription = nil
        self.watch = nil
        if let consumer {
            tell(consumer)
        }
        subscription?.detach(self)
    }
}
