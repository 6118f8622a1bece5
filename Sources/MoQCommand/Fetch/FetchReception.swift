// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Receives a fetch, and hands the bytes on in batches. (loop)
final class FetchReception: FetchConsumer {
    private let loop: PacketLoop
    private let output: OutputBatcher
    private let ended: (FetchOutcome) -> Void
    private var counted = FetchReport()
    private var began: LoopInstant
    private var finished: LoopInstant?
    private var lastGroup: UInt64?

    /// Makes a receiver. `deliver` takes the output in batches; `ended` is called once, when all of it was handed on.
    init(loop: PacketLoop, deliver: @escaping ([Bytes]) -> Void, ended: @escaping (FetchOutcome) -> Void) {
        self.loop = loop
        self.output = OutputBatcher(loop: loop, deliver: deliver)
        self.ended = ended
        self.began = loop.now
    }

    /// The request was accepted.
    func accepted(_ answer: FetchOk) {
        self.began = self.loop.now
        self.counted.end = answer.end
        self.counted.isTrackComplete = answer.endOfTrack
    }

    /// What has been received so far.
    var report: FetchReport {
        var report = self.counted
        report.seconds = Quantity.seconds(self.began.duration(to: self.finished ?? self.loop.now))
        return report
    }

    func beginObject(_ object: FetchObjectHeader) {
        // A status says something about the track; only what is there counts as an object.
        guard object.status == .normal else { return }
        self.counted.objectCount &+= 1
        if object.location.group != self.lastGroup {
            self.lastGroup = object.location.group
            self.counted.groupCount &+= 1
        }
    }

    func receive(payload: Bytes) {
        self.counted.byteCount &+= UInt64(payload.count)
        self.output.append(payload)
    }

    func endRange(_ gap: FetchGap, through location: Location) {
        switch gap {
        case .nonExistent: self.counted.emptyRangeCount &+= 1
        case .unknown: self.counted.unknownRangeCount &+= 1
        }
    }

    func fetchEnded(_ outcome: FetchOutcome) {
        self.finished = self.loop.now
        self.output.flush()
        self.ended(outcome)
    }
}
