// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import WebTransport
import WebTransportInMemory

/// A session, its application, its peer and the link between them.
///
/// A step is a byte that says what happens (its top bit: without time for it to arrive) and bytes that say how.
final class SessionWorld {
    let findings = SessionFindings()
    private let profile: DraftProfile
    private let loop: PacketLoop
    private let driver: ManualLoopDriver
    private let link: InMemoryLink
    private let application: ScriptApplication
    private let peer: ScriptPeer
    private var session: MoQSession
    private var nextRequest: UInt64 = 0
    private var isSevered = false

    /// The bits of the second byte of an input.
    enum Options {
        static let peerIsServer: UInt8 = 1
        static let peerIsSilent: UInt8 = 2
        static let answersLater: UInt8 = 4
        static let smallLimits: UInt8 = 8
        static let lossy: UInt8 = 16
    }

    init(_ profile: DraftProfile, options: UInt8) {
        self.profile = profile
        self.loop = ManualLoopDriver.makeLoop()
        self.driver = ManualLoopDriver(loop: self.loop)
        var configuration = InMemoryLinkConfiguration()
        configuration.loss = options & Options.lossy == 0 ? 0 : 0.1
        self.link = InMemoryLink(loop: self.loop, configuration: configuration)
        self.application = ScriptApplication(self.findings, answersAtOnce: options & Options.answersLater == 0)
        var limits = MoQSessionConfiguration()
        if options & Options.smallLimits != 0 {
            limits.maxPeerRequests = 4
            limits.maxWaitingRequests = 2
            limits.maxHeldStreams = 2
            limits.maxSubgroupsPerTrack = 2
            limits.maxQueuedBytesPerTrack = 4_096
            limits.trackHighWatermark = 2_048
            limits.trackLowWatermark = 1_024
            limits.maxNamespacesPerSubscription = 2
            limits.maxObjectPropertiesByteCount = 16
        }
        let peerIsServer = options & Options.peerIsServer != 0
        self.peer = ScriptPeer(peerIsServer ? self.link.server : self.link.client, profile, self.findings)
        self.session = MoQSession(
            transport: peerIsServer ? self.link.client : self.link.server,
            loop: self.loop,
            profile: profile,
            configuration: limits,
            handler: self.application
        )
        self.session.start()
        self.peer.start()
        self.pass(.milliseconds(20))
        if options & Options.peerIsSilent == 0 {
            self.peer.sendControl(self.peer.bytes(.setup(Setup(options: self.setup))))
            self.pass(.milliseconds(20))
            self.findings.expect(
                self.session.state == .established,
                "a good setup did not succeed: \(String(describing: self.session.closure))"
            )
        }
    }

    private var setup: SetupOptions {
        var options = SetupOptions()
        if self.profile.hasRequestLimit {
            options.maxRequestID = RequestID(100)
        }
        if self.profile.setupNegotiatesVersion {
            options.versions = [self.profile.version.setupNumber]
        }
        return options
    }

    private func pass(_ duration: Duration) {
        self.driver.advance(by: duration)
    }

    func step(_ input: inout FuzzInput) {
        let kind = input.byte()
        self.perform(Int(kind & 0x7F) % 27, &input)
        if kind & 0x80 == 0 {
            self.pass(.milliseconds(12))
        }
    }

    private func perform(_ kind: Int, _ input: inout FuzzInput) {
        switch kind {
        case 0: self.peer.sendControl(self.raw(&input))
        case 1: self.peer.sendControl(self.framed(&input))
        case 2: self.request(&input)
        case 3: self.peer.request(self.raw(&input), onOwnStream: true)
        case 4: self.peer.request(self.framed(&input), onOwnStream: true)
        case 5: try? self.pick(self.peer.own, &input)?.send.write(Bytes(self.raw(&input)))
        case 6: try? self.pick(self.peer.own, &input)?.send.write(Bytes(self.framed(&input)))
        case 7: self.end(self.pick(self.peer.own + self.peer.requests, &input), &input)
        case 8: self.peer.openData(self.raw(&input), isFinal: input.byte() & 1 == 1)
        case 9, 10: self.subgroup(&input, isWhole: kind == 10)
        case 11: self.fetchStream(&input)
        case 12: try? self.pick(self.peer.data, &input)?.write(Bytes(self.raw(&input)))
        case 13: self.end(self.pick(self.peer.data, &input), &input)
        case 14: try? self.peer.transport.sendDatagram(Bytes(self.raw(&input)))
        case 15: self.datagram(&input)
        case 16: self.reply(&input)
        case 17:
            let amount = Int(input.byte())
            self.pass(.milliseconds(amount * amount / 4))
        case 18: self.application.subscribe(self.session, &input)
        case 19: self.application.fetch(self.session, &input)
        case 20: self.application.publish(self.session, &input)
        case 21: self.application.askAround(self.session, &input)
        case 22: self.application.change(&input)
        case 23: self.application.answer(&input)
        case 24: self.application.write(&input)
        case 25: self.application.close(self.session, &input)
        default: self.disturb(&input)
        }
    }

    private func pick<Element>(_ elements: [Element], _ input: inout FuzzInput) -> Element? {
        let choice = Int(input.byte())
        return elements.isEmpty ? nil : elements[choice % elements.count]
    }

    private func raw(_ input: inout FuzzInput) -> [UInt8] {
        input.take(Int(input.byte()))
    }

    /// A message of the draft with whatever content, and the length that it has.
    private func framed(_ input: inout FuzzInput) -> [UInt8] {
        let type = self.profile.messages[input.choice(self.profile.messages.count)].type
        let content = self.raw(&input)
        var writer = WireWriter(integers: self.profile.coding.integers)
        try? writer.write(integer: type)
        writer.write(uint16: UInt16(content.count))
        writer.write(bytes: content)
        return writer.bytes
    }

    private func end(_ stream: BidirectionalStream?, _ input: inout FuzzInput) {
        let choice = input.byte()
        switch choice % 3 {
        case 0: try? stream?.send.finish()
        case 1: stream?.send.reset(code: UInt64(choice >> 2))
        default: stream?.receive.stopSending(code: UInt64(choice >> 2))
        }
    }

    private func end(_ stream: SendStream?, _ input: inout FuzzInput) {
        let choice = input.byte()
        if choice & 1 == 0 { try? stream?.finish() } else { stream?.reset(code: UInt64(choice >> 1)) }
    }

    private func disturb(_ input: inout FuzzInput) {
        switch input.choice(3) {
        case 0: self.link.setLoss(0.3)
        case 1: self.link.setLoss(0)
        default:
            self.isSevered = true
            self.link.sever(.other)
        }
    }

    // MARK: What is right

    /// A request of the peer that its draft allows.
    private func request(_ input: inout FuzzInput) {
        let id = RequestID(self.nextRequest * 2 + (self.peer.role == .client ? 0 : 1))
        self.nextRequest += 1
        let kind = input.choice(10)
        let track = ScriptApplication.track(input.choice(4))
        let number = UInt64(input.choice(8))
        let namespace = ScriptApplication.namespace(Int(number))
        let message: MoQMessage
        switch kind {
        case 0: message = .subscribe(Subscribe(requestID: id, track: track))
        case 1: message = .publish(Publish(requestID: id, track: track, trackAlias: TrackAlias(number)))
        case 2:
            let end = FetchEnd.group(number + 1)
            message = .fetch(
                Fetch(
                    requestID: id,
                    target: .standalone(track: track, start: Location(group: 0, object: 0), end: end)
                )
            )
        case 3:
            message = .fetch(
                Fetch(requestID: id, target: .relativeJoining(subscription: RequestID(number), groupsBack: 1))
            )
        case 4: message = .publishNamespace(PublishNamespace(requestID: id, namespace: namespace))
        case 5: message = .subscribeNamespace(SubscribeNamespace(requestID: id, prefix: namespace))
        case 6: message = .subscribeTracks(SubscribeTracks(requestID: id, prefix: namespace))
        case 7: message = .trackStatus(TrackStatus(requestID: id, track: track))
        case 8:
            var goaway = Goaway()
            if self.profile.goawayForm == .uriTimeoutRequestID {
                goaway.requestID = RequestID(self.peer.role == .client ? 1 : 0)
            }
            self.peer.sendControl(self.peer.bytes(.goaway(goaway)))
            return
        default:
            let update = RequestUpdate(requestID: id, existingRequestID: RequestID(number))
            let stream = self.pick(self.peer.own, &input)
            guard self.profile.controlShape == .pairWithRequestStreams else {
                self.peer.sendControl(self.peer.bytes(.requestUpdate(update)))
                return
            }
            try? stream?.send.write(Bytes(self.peer.bytes(.requestUpdate(update))))
            return
        }
        let hasOwnStream = message.requestKind.map { self.profile.hasOwnStream($0) } ?? false
        self.peer.request(self.peer.bytes(message), onOwnStream: hasOwnStream)
    }

    /// An answer to a request of the session, and what may follow it.
    private func reply(_ input: inout FuzzInput) {
        let choice = input.choice(10)
        let alias = TrackAlias(UInt64(input.choice(8)))
        let stream = self.pick(self.peer.requests, &input)
        let number = RequestID(UInt64(input.choice(8)) * 2 + (self.peer.role == .client ? 1 : 0))
        let id = self.profile.repliesCarryRequestID ? number : nil
        // Draft 14 has an answer of its own for each kind.
        let kind = RequestKind.allCases[Int(alias.rawValue) % RequestKind.allCases.count]
        let message: MoQMessage
        switch choice {
        case 0: message = .subscribeOk(SubscribeOk(requestID: id, trackAlias: alias, groupOrder: .ascending))
        case 1: message = .publishOk(PublishOk(requestID: id))
        case 2: message = .requestOk(RequestOk(requestID: id, answers: kind))
        case 3: message = .requestError(RequestError(requestID: id, answers: kind, code: .doesNotExist))
        case 4: message = .fetchOk(FetchOk(requestID: id, endOfTrack: false, end: .group(3), groupOrder: .ascending))
        case 5: message = .publishDone(PublishDone(requestID: id, status: .trackEnded, streamCount: alias.rawValue))
        case 6: message = .namespace(Namespace(suffix: TrackNamespace(path: "x")))
        case 7: message = .namespaceDone(NamespaceDone(suffix: TrackNamespace(path: "x")))
        case 8: message = .unsubscribe(Unsubscribe(requestID: RequestID(UInt64(input.choice(8)))))
        default:
            let namespace = ScriptApplication.namespace(input.choice(4))
            message =
                alias.rawValue & 1 == 0
                ? .publishNamespaceDone(PublishNamespaceDone(requestID: id, namespace: namespace))
                : .unsubscribeNamespace(UnsubscribeNamespace(prefix: namespace))
        }
        let bytes = self.peer.bytes(message)
        let isOnStream = self.profile.controlShape == .pairWithRequestStreams || choice == 6 || choice == 7
        if isOnStream { try? stream?.send.write(Bytes(bytes)) } else { self.peer.sendControl(bytes) }
    }

    private func subgroup(_ input: inout FuzzInput, isWhole: Bool) {
        let flags = input.byte()
        let header = SubgroupHeader(
            trackAlias: TrackAlias(UInt64(input.choice(4))),
            groupID: UInt64(input.choice(4)),
            subgroupID: flags & 1 == 0 ? .zero : .firstObject,
            publisherPriority: 128,
            hasProperties: flags & 2 != 0,
            containsEndOfGroup: flags & 4 != 0
        )
        var encoder = SubgroupStreamEncoder(profile: self.profile)
        var bytes: [UInt8] = []
        try? encoder.encode(header, into: &bytes)
        if isWhole {
            for id in 0..<UInt64(input.choice(4)) {
                let payload = [UInt8](repeating: 5, count: Int(input.byte()) * 4)
                try? encoder.encode(ObjectHeader(objectID: id, payloadLength: UInt64(payload.count)), into: &bytes)
                bytes += payload
            }
        } else {
            bytes += self.raw(&input)
        }
        self.peer.openData(bytes, isFinal: flags & 8 != 0)
    }

    private func fetchStream(_ input: inout FuzzInput) {
        let flags = input.byte()
        let id = RequestID(UInt64(input.choice(8)) * 2 + (self.peer.role == .client ? 1 : 0))
        var encoder = FetchStreamEncoder(profile: self.profile, groupOrder: .ascending)
        var bytes: [UInt8] = []
        try? encoder.encode(requestID: id, into: &bytes)
        for object in 0..<UInt64(input.choice(4)) {
            let payload = [UInt8](repeating: 6, count: Int(input.byte()))
            let header = FetchObjectHeader(
                location: Location(group: 1, object: object),
                subgroupID: 0,
                publisherPriority: 128,
                payloadLength: UInt64(payload.count)
            )
            try? encoder.encode(header, into: &bytes)
            bytes += payload
        }
        if flags & 1 != 0 {
            bytes += self.raw(&input)
        }
        self.peer.openData(bytes, isFinal: flags & 2 == 0)
    }

    private func datagram(_ input: inout FuzzInput) {
        let header = ObjectDatagram(
            trackAlias: TrackAlias(UInt64(input.choice(4))),
            groupID: UInt64(input.choice(4)),
            objectID: UInt64(input.choice(4))
        )
        var bytes: [UInt8] = []
        try? DatagramCodec(profile: self.profile).encode(header, into: &bytes)
        try? self.peer.transport.sendDatagram(Bytes(bytes + self.raw(&input)))
    }

    // MARK: The end

    /// Ends what is not over, and looks whether everybody knows and nothing is left.
    func conclude() {
        self.link.setLoss(0)
        self.pass(.milliseconds(200))
        let closure = self.session.closure
        // What closed just now has to arrive.
        self.pass(.milliseconds(100))
        if let closure {
            self.check(closure)
        }
        self.session.close()
        self.pass(.seconds(1))
        self.findings.expect(self.session.state == .closed, "the session is \(self.session.state) after its end")
        self.application.conclude()
        let counters = self.session.counters
        let live = [
            counters.liveRequests, counters.liveSubscriptions, counters.livePublications, counters.liveFetches,
            counters.liveFetchesServed, counters.liveStreamsIn, counters.liveStreamsOut, counters.liveHeldStreams,
        ]
        self.findings.expect(live.allSatisfy { $0 == 0 }, "left after the end: \(live)")
        self.application.release()
        self.pass(.seconds(60))
        self.findings.expect(self.loop.counters.liveTimers == 0, "\(self.loop.counters.liveTimers) timers are left")
    }

    private func check(_ closure: MoQSessionClosure) {
        guard closure.origin == .local, !self.application.hasClosed else {
            return
        }
        self.findings.expect(
            closure.code != .noError && closure.code != .internalError && !closure.reason.isEmpty,
            "the session closed itself without a code or a reason: \(closure)"
        )
        if !self.isSevered {
            self.findings.expect(
                self.peer.closes.map(\.code) == [closure.code.wireValue(in: self.profile)],
                "the session closed with \(closure), and its peer knows of \(self.peer.closes)"
            )
        }
    }
}
