// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop
internal import WebTransport

/// Answers a FETCH for a range of a moq-test track, as fast as the peer reads. (loop)
final class MoQTestFetchPump: FetchPublisherDelegate {
    /// How many objects are sent at a time before the loop does something else.
    private static let batch = 256

    private let publisher: FetchPublisher
    private let tuple: MoQTestTuple
    private let loop: PacketLoop
    private let didEnd: (MoQTestFetchPump) -> Void
    private var schedule: MoQTestSchedule
    private var isOver = false
    private var isScheduled = false

    /// Accepts the request. `didEnd` is called once, when nothing more will be sent.
    init(
        accepting request: IncomingFetch,
        tuple: MoQTestTuple,
        loop: PacketLoop,
        didEnd: @escaping (MoQTestFetchPump) -> Void
    ) {
        let profile = request.session.profile
        // Only a draft that writes the status of every object has markers in the response to a FETCH.
        let includesMarkers = profile.data.fetchObjectsAreComplete
        let (start, end, order) = (request.start, request.end.location, request.groupOrder)
        self.publisher = request.accept(
            largest: MoQTestSchedule.largest(of: tuple, includesMarkers: includesMarkers),
            isTrackComplete: true
        )
        self.tuple = tuple
        self.loop = loop
        self.didEnd = didEnd
        self.schedule = MoQTestSchedule(
            tuple,
            from: start,
            through: end,
            isDescending: order == .descending,
            includesMarkers: includesMarkers
        )
    }

    /// Begins.
    func start() {
        guard !self.publisher.isEnded else {
            self.over()
            return
        }
        self.publisher.delegate = self
        self.pump()
    }

    /// Gives the response up.
    func abort() {
        guard !self.isOver else { return }
        self.publisher.reset(.cancelled)
    }

    private func pump() {
        var count = 0
        while !self.isOver, !self.publisher.isAboveHighWatermark {
            guard count < Self.batch else {
                self.pumpLater()
                return
            }
            guard let entry = self.schedule.next() else {
                self.publisher.finish()
                return
            }
            count += 1
            self.send(entry)
        }
    }

    private func pumpLater() {
        guard !self.isScheduled else { return }
        self.isScheduled = true
        self.loop.schedule(after: .zero) { [weak self] in
            self?.isScheduled = false
            self?.pump()
        }
    }

    private func send(_ entry: MoQTestSchedule.Entry) {
        let profile = self.publisher.session.profile
        self.publisher.beginObject(
            FetchObjectHeader(
                location: entry.location,
                subgroupID: entry.subgroup,
                publisherPriority: 128,
                properties: entry.isMarker
                    ? PropertyList() : MoQTestContent.properties(for: self.tuple, coding: profile.coding),
                payloadLength: UInt64(entry.size),
                status: entry.isMarker ? .endOfGroup : .normal
            )
        )
        MoQTestContent.forEachPart(of: entry.size) { self.publisher.receive(payload: $0) }
    }

    private func over() {
        self.isOver = true
        self.didEnd(self)
    }

    func fetchPublisherDidDrain(_ publisher: FetchPublisher) {
        if !self.isScheduled {
            self.pump()
        }
    }

    func fetchPublisher(_ publisher: FetchPublisher, didEnd end: FetchPublisherEnd) {
        self.over()
    }
}
