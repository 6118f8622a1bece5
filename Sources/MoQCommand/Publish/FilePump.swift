// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import DequeModule
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Moves an input into a track: reads ahead a little, cuts objects, and sends them as fast as the subscribers take them
/// or as slowly as was asked for. (loop)
///
/// Nothing is sent before the first subscriber is there. After the last object the track ends.
final class FilePump {
    /// How many blocks may be read ahead of what was cut. Together less than a subscriber's queue may hold.
    private static let readAhead = 3

    /// How long the first subscriber has to learn that it is subscribed before datagrams follow: nobody keeps those that
    /// overtake the answer, since they belong to no track that is known yet.
    private static let datagramHeadStart = Duration.milliseconds(250)
    /// How long to wait before looking again whether streams have completed.
    private static let groupRetryDelay = Duration.milliseconds(2)

    /// How many bytes were handed to the track.
    private(set) var sentByteCount: UInt64 = 0
    /// How many objects were handed to the track.
    private(set) var sentObjectCount: UInt64 = 0

    private let loop: PacketLoop
    private let track: LiveTrack
    private let reader: InputReader
    private let plan: PublicationPlan
    private let failed: (CommandFailure) -> Void

    private var cutter: ObjectCutter
    private var pacer: Pacer?
    private var paceTimer: LoopTimer?
    private var groupTimer: LoopTimer?
    private var headStartTimer: LoopTimer?
    private var blocks: Deque<Bytes> = []
    private var requestedCount = 0
    private var inputHasEnded = false
    private var isOver = false
    private var isPumping = false
    private var group: UInt64 = 0
    private var object: UInt64 = 0

    /// Connects an input with a track. `failed` is called when the input cannot be read.
    init(
        loop: PacketLoop,
        track: LiveTrack,
        reader: InputReader,
        plan: PublicationPlan,
        failed: @escaping (CommandFailure) -> Void
    ) {
        self.loop = loop
        self.track = track
        self.reader = reader
        self.plan = plan
        self.failed = failed
        self.cutter = ObjectCutter(rule: plan.rule)
        self.pacer = plan.rate.map { Pacer(rate: $0) }
    }

    /// Begins to read, and to send when somebody listens.
    func start() {
        self.track.demandChanged = { [weak self] in
            self?.pump()
        }
        let me = LoopBound(self, on: self.loop)
        let loop = self.loop
        self.reader.start { event in
            loop.post {
                me.value.received(event)
            }
        }
        self.requestBlocks()
        self.pump()
    }

    /// Stops reading and sending, without ending the track.
    func stop() {
        self.isOver = true
        self.paceTimer?.cancel()
        self.groupTimer?.cancel()
        self.headStartTimer?.cancel()
        self.reader.stop()
        self.track.demandChanged = {}
    }

    private func received(_ event: InputReader.Event) {
        guard !self.isOver else { return }
        switch event {
        case .block(let block):
            self.requestedCount -= 1
            self.blocks.append(block)
        case .end:
            self.inputHasEnded = true
        case .failure(let failure):
            self.stop()
            self.failed(failure)
            return
        }
        self.pump()
    }

    private func requestBlocks() {
        while !self.inputHasEnded, self.requestedCount + self.blocks.count < Self.readAhead {
            self.requestedCount += 1
            self.reader.request()
        }
    }

    /// Sends what can be sent now. What it calls may call it again; that is left to the loop that is running.
    private func pump() {
        guard !self.isPumping, !self.isOver else { return }
        self.isPumping = true
        defer { self.isPumping = false }
        while !self.isOver, self.track.hasReaders, !self.track.isCongested {
            if self.cutter.needsInput, let block = self.blocks.popFirst() {
                self.cutter.append(block)
                self.requestBlocks()
            }
            guard self.hasHeadStart(), self.hasRoomForGroup(), self.hasPermission() else { return }
            if let piece = self.cutter.next() {
                self.send(piece)
            } else if self.cutter.needsInput, self.blocks.isEmpty {
                guard self.inputHasEnded else {
                    self.returnPermission()
                    return
                }
                if let piece = self.cutter.finish() {
                    self.send(piece)
                }
                self.isOver = true
                self.paceTimer?.cancel()
                if self.plan.usesDatagrams {
                    self.track.endDatagrams(
                        at: Location(group: self.group, object: self.object),
                        on: self.loop
                    )
                } else {
                    self.track.end()
                }
                return
            } else {
                self.returnPermission()
            }
        }
    }

    /// Whether datagrams may follow the answer to the subscription by now. When they may not, a timer pumps again.
    private func hasHeadStart() -> Bool {
        guard self.plan.usesDatagrams, self.sentObjectCount == 0 else { return true }
        if let timer = self.headStartTimer {
            return !timer.isScheduled
        }
        self.headStartTimer = self.loop.schedule(after: Self.datagramHeadStart) { [weak self] in
            self?.pump()
        }
        return false
    }

    /// Whether the next object can begin a group, if it has to. When it cannot, a timer pumps again.
    private func hasRoomForGroup() -> Bool {
        guard self.object == 0, !self.plan.usesDatagrams else { return true }
        guard !self.track.hasLostGroups else {
            self.stop()
            self.failed(CommandFailure("the peer allows too few streams for groups this small, see --group-size"))
            return false
        }
        guard !self.track.mayBeginGroup else { return true }
        if self.groupTimer?.isScheduled != true {
            self.groupTimer = self.loop.schedule(after: Self.groupRetryDelay) { [weak self] in
                self?.pump()
            }
        }
        return false
    }

    /// Whether the pace allows an object now. When it does not, a timer pumps again.
    private func hasPermission() -> Bool {
        guard self.pacer != nil else { return true }
        guard self.paceTimer?.isScheduled != true else { return false }
        guard let wait = self.pacer?.take(at: self.loop.now) else { return true }
        self.paceTimer = self.loop.schedule(after: wait) { [weak self] in
            self?.pump()
        }
        return false
    }

    private func returnPermission() {
        self.pacer?.giveBack()
    }

    private func send(_ piece: ObjectCutter.Piece) {
        let endsGroup = self.object + 1 == self.plan.groupSize
        if self.plan.usesDatagrams {
            self.track.sendDatagram(
                location: Location(group: self.group, object: self.object),
                endsGroup: endsGroup,
                payload: piece.joined
            )
        } else {
            if self.object == 0 {
                self.track.beginGroup(self.group)
            }
            self.track.send(objectID: self.object, payload: piece)
            if endsGroup {
                self.track.endGroup()
            }
        }
        self.sentByteCount += UInt64(piece.count)
        self.sentObjectCount += 1
        self.object = endsGroup ? 0 : self.object + 1
        self.group += endsGroup ? 1 : 0
    }
}
