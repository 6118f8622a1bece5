// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import WebTransport

/// Puts the objects of a track in order: by group, within a group by object id. (loop)
///
/// Streams of different groups arrive side by side and datagrams in any order; what is not its turn yet is held, up to a
/// bound. The object whose turn it is goes to the output as it arrives. A group is over when its end is known and all
/// its streams ended. Where the end is not known, or objects between others are missing, nobody can tell whether they
/// still come: the reassembler is then ``isWaiting``, and its owner calls ``settle()`` when it has waited long enough.
final class TrackReassembler {
    /// What was not received or not written.
    struct Losses: Hashable {
        /// Object ids that were passed over between others.
        var missingObjects: UInt64 = 0
        /// Group ids that were passed over between others.
        var missingGroups: UInt64 = 0
        /// Groups that were left although their last object is not known to have come, while other groups say where
        /// they end.
        var unfinishedGroups: UInt64 = 0
        /// Streams that the sender gave up before their end.
        var resetStreams = 0
        /// Objects of which only a part came.
        var incompleteObjects = 0
        /// Objects that came after their place in the output had passed.
        var lateObjects = 0
        /// Objects that were there when nothing more was wanted, and were not written because something before them was not.
        var withheldObjects = 0
    }

    /// Called when a stream ended: the reassembler may be waiting from now on.
    var streamEnded: (() -> Void)?
    /// Sees every payload that arrives in one piece, before its turn.
    var observe: ((Bytes) -> Void)?
    /// Takes the output, in order.
    var output: (Bytes) -> Void
    /// Called once, when more would have to be held than is allowed. Nothing is written afterwards.
    var overflowed: () -> Void

    /// What is lost so far.
    var losses: Losses {
        var losses = self.counted
        losses.unfinishedGroups = self.marksEnds ? self.openEndedGroups : 0
        return losses
    }
    /// How many objects began to arrive.
    private(set) var objectCount: UInt64 = 0
    /// How many groups began to arrive.
    private(set) var groupCount: UInt64 = 0
    /// How many bytes of payload arrived.
    private(set) var byteCount: UInt64 = 0
    /// How many bytes are held.
    private(set) var heldByteCount = 0
    /// Where the output began; nil as long as it did not.
    private(set) var beginning: Location?
    /// Counts up whenever something was written or a group was left: who waits starts anew when it changed.
    private(set) var progress: UInt64 = 0

    /// How many groups may be begun at a time.
    private static let maximumGroupCount = 16_384

    private let limit: Int
    private var groups: [UInt64: ReassembledGroup] = [:]
    private var current: ReassembledGroup?
    private var firstExpected: Location?
    private var isOver = false
    private var counted = Losses()
    private var marksEnds = false
    private var openEndedGroups: UInt64 = 0

    /// Makes a reassembler that holds at most `limit` bytes.
    init(limit: Int, output: @escaping (Bytes) -> Void, overflowed: @escaping () -> Void) {
        self.limit = limit
        self.output = output
        self.overflowed = overflowed
    }

    /// Says what the publisher had already published when the subscription began. Nothing before it will come.
    func startsAfter(largest: Location?) {
        self.firstExpected = largest
    }

    /// Whether something is held that only missing objects or groups keep from being written, and none is arriving.
    var isWaiting: Bool {
        guard !self.isOver else { return false }
        guard let current = self.current else { return !self.groups.isEmpty }
        if current.openStreamCount > 0 {
            return false
        }
        return !current.held.isEmpty || self.groups.count > 1
    }

    // MARK: - Input

    /// A stream begins.
    func open(group id: UInt64, endsGroup: Bool) -> SubgroupIntake? {
        guard !self.isOver else { return nil }
        guard let group = self.group(id) else {
            self.counted.lateObjects += 1
            return nil
        }
        group.openStreamCount += 1
        return SubgroupIntake(group: group, endsGroup: endsGroup, reassembler: self)
    }

    /// An object that came in a datagram.
    func receive(datagram: ObjectDatagram, payload: Bytes) {
        guard !self.isOver else { return }
        guard let group = self.group(datagram.groupID) else {
            self.counted.lateObjects += 1
            return
        }
        let intake = SubgroupIntake(group: group, endsGroup: false, reassembler: self)
        intake.beginObject(
            ObjectHeader(
                objectID: datagram.objectID,
                payloadLength: UInt64(payload.count),
                status: datagram.status
            )
        )
        if !payload.isEmpty {
            intake.receive(payload: payload)
        }
        if datagram.endsGroup {
            group.hasEnd = true
            self.advance()
        }
    }

    /// An object begins on a stream.
    func begin(objectID: UInt64, status: ObjectStatus, in intake: SubgroupIntake) {
        let group = intake.group
        self.objectCount &+= 1
        if status != .normal {
            group.hasEnd = true
        }
        if group === self.current, group.direct == nil, group.nextObject ?? objectID == objectID {
            self.noteBeginning(Location(group: group.id, object: objectID))
            group.direct = intake
            intake.target = .output
        } else if group.held[objectID] != nil || objectID < group.nextObject ?? 0 || self.isPast(group) {
            self.counted.lateObjects += 1
            intake.target = .nowhere
        } else {
            let object = ReassembledGroup.HeldObject()
            object.intake = intake
            group.held[objectID] = object
            intake.target = .held(object)
            self.hold(object.byteCount)
        }
    }

    /// A part of an object's payload.
    func receive(_ payload: Bytes, from intake: SubgroupIntake) {
        self.byteCount &+= UInt64(payload.count)
        if payload.count == intake.objectLength {
            self.observe?(payload)
        }
        switch intake.target {
        case .nowhere:
            break
        case .output:
            self.write(payload)
        case .held(let object):
            object.parts.append(payload)
            object.byteCount += payload.count
            self.hold(payload.count)
        }
    }

    /// The object of an intake is complete.
    func completed(_ intake: SubgroupIntake) {
        switch intake.target {
        case .nowhere:
            return
        case .output:
            intake.group.direct = nil
            intake.group.nextObject = Self.successor(intake.objectID)
        case .held(let object):
            object.isComplete = true
            object.intake = nil
        }
        intake.target = .nowhere
        if intake.group === self.current {
            self.advance()
        }
    }

    /// A stream ended, or was given up.
    func closed(_ intake: SubgroupIntake, isReset: Bool) {
        guard !self.isOver else { return }
        let group = intake.group
        group.openStreamCount -= 1
        if isReset {
            self.counted.resetStreams += 1
        } else if intake.endsGroup {
            group.hasEnd = true
        }
        switch intake.target {
        case .nowhere:
            break
        case .output:
            self.counted.incompleteObjects += 1
            group.direct = nil
            group.nextObject = Self.successor(intake.objectID)
        case .held(let object):
            self.counted.incompleteObjects += 1
            self.heldByteCount -= object.byteCount
            group.held[intake.objectID] = nil
        }
        intake.target = .nowhere
        self.advance()
        self.streamEnded?()
    }

    // MARK: - Order

    /// Gives up on what is missing at the front, as far as that lets something be written.
    func settle() {
        guard self.isWaiting else { return }
        if let current = self.current, !current.held.isEmpty {
            self.passOverGap(in: current)
        } else {
            self.enterSmallestGroup()
        }
        self.advance()
    }

    /// Ends the output where it is, because nothing more is wanted. What is held stays unwritten: what belongs before it may
    /// still be on its way. Whatever still comes, resets of its streams included, is neither written nor counted.
    func stop() {
        guard !self.isOver else { return }
        self.isOver = true
        self.counted.withheldObjects = self.groups.values.reduce(0) { $0 + $1.held.count }
    }

    /// Writes everything that is left, in order. Nothing will come any more.
    func finish() {
        while self.isWaiting {
            self.settle()
        }
    }

    /// The group with this id, made if necessary; nil when its turn has passed.
    private func group(_ id: UInt64) -> ReassembledGroup? {
        guard !self.isOver else { return nil }
        if let group = self.groups[id] {
            return group
        }
        if let current = self.current, id < current.id {
            return nil
        }
        guard self.groups.count < Self.maximumGroupCount else {
            self.giveUp()
            return nil
        }
        let isFirst = self.current == nil && id == self.firstExpected?.group
        let group = ReassembledGroup(id: id, nextObject: isFirst ? nil : 0)
        self.groups[id] = group
        self.groupCount &+= 1
        // The group before it may be over and only wait for this one.
        self.advance()
        if self.current == nil, id <= self.firstExpected?.group ?? 0 {
            self.current = group
        }
        return group
    }

    private func hold(_ count: Int) {
        self.heldByteCount += count
        if self.heldByteCount > self.limit {
            self.giveUp()
        }
    }

    private func giveUp() {
        guard !self.isOver else { return }
        self.isOver = true
        self.overflowed()
    }

    private func isPast(_ group: ReassembledGroup) -> Bool {
        guard let current = self.current else { return false }
        return group.id < current.id
    }

    /// Writes what is next, object after object and group after group, as far as it is there.
    private func advance() {
        while !self.isOver, let current = self.current {
            self.drain(current)
            guard current.isQuiet, current.hasEnd, let next = self.groups[Self.successor(current.id)] else { return }
            self.enter(next)
        }
    }

    private func drain(_ group: ReassembledGroup) {
        while group.direct == nil, !group.held.isEmpty {
            guard let id = group.nextObject ?? group.held.keys.min(), let object = group.held[id] else { return }
            self.noteBeginning(Location(group: group.id, object: id))
            group.held[id] = nil
            self.heldByteCount -= object.byteCount
            for part in object.parts {
                self.write(part)
            }
            if object.isComplete {
                group.nextObject = Self.successor(id)
            } else if let intake = object.intake {
                group.nextObject = id
                group.direct = intake
                intake.target = .output
            }
        }
    }

    private func passOverGap(in group: ReassembledGroup) {
        guard let first = group.held.keys.min() else { return }
        if let next = group.nextObject, first > next {
            self.counted.missingObjects &+= first - next
        }
        group.nextObject = first
        self.progress &+= 1
    }

    private func enterSmallestGroup() {
        let past = self.current?.id
        let candidates = self.groups.keys.filter { id in past.map { id > $0 } ?? true }
        guard let id = candidates.min(), let group = self.groups[id] else { return }
        if let past, id - past > 1 {
            self.counted.missingGroups &+= id - past - 1
        }
        if past == nil {
            group.nextObject = nil
        }
        self.enter(group)
    }

    private func enter(_ group: ReassembledGroup) {
        if let past = self.current {
            self.groups[past.id] = nil
            if past.hasEnd {
                self.marksEnds = true
            } else {
                self.openEndedGroups &+= 1
            }
        }
        self.current = group
        self.progress &+= 1
    }

    private func write(_ bytes: Bytes) {
        guard !self.isOver, !bytes.isEmpty else { return }
        self.progress &+= 1
        self.output(bytes)
    }

    private func noteBeginning(_ location: Location) {
        if self.beginning == nil {
            self.beginning = location
        }
    }

    private static func successor(_ id: UInt64) -> UInt64 {
        id == .max ? .max : id + 1
    }
}
