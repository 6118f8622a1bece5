// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
import PacketLoop
public import WebTransport

/// A track that is published by a task anywhere. Made by `publish` of a session.
///
/// ```swift
/// let writer = try await client.session.publish(name)
/// let group = try await writer.beginGroup()
/// try await group.write(Bytes(utf8: "an object"))
/// try await group.finish()
/// try await writer.finish()
/// ```
///
/// What is written goes to whoever is subscribed now and is not kept, unless the track was published with `keeping`: with no
/// subscriber it is dropped (``waitForSubscriber()``), and one that comes in the middle of a group gets the rest of it. A subscriber that reads
/// slowly makes writing wait, until its session gives it up as too far behind; then writing goes on without it.
///
/// Every call goes to the loop of the session and back, which takes some ten microseconds from another thread, and next
/// to nothing in a task that prefers the loop's executor (`Task(executorPreference: loop.tasks)`). Who writes many small
/// objects writes several at once.
///
/// Without ``finish()`` the track ends as incomplete when the last reference is gone.
public final class TrackWriter: Sendable {
    /// The track.
    public let track: FullTrackName
    let source: LoopBound<TrackSource>

    /// Made on the loop.
    init(_ source: TrackSource) {
        self.track = source.track
        self.source = LoopBound(source, on: source.session.loop)
    }

    deinit {
        self.source.loop.post { [source] in
            source.value.abandon()
        }
    }

    /// Returns as soon as somebody is subscribed and wants objects.
    /// - Throws: `invalidState` after ``finish()``; `sessionClosed`; `cancelledByPeer` when the peer does not want the
    ///   namespace any more; `cancelled` when the task is.
    public func waitForSubscriber() async throws(MoQError) {
        try await self.perform { $0.awaitReader() }
    }

    /// Returns as soon as a subscriber asks for a new group, at once when one has since the last was begun
    /// (draft-18 §10.2.13, "NEW GROUP REQUEST Parameter"). The present group should be finished then, and another one begun
    /// as soon as that makes sense. Subscribers can ask only for tracks whose properties have DYNAMIC_GROUPS.
    /// - Throws: as ``waitForSubscriber()``.
    public func waitForGroupRequest() async throws(MoQError) {
        try await self.perform { $0.awaitGroupRequest() }
    }

    /// Begins a group, which is sent on a stream of its own. Waits while too many groups are under way.
    ///
    /// - Parameters:
    ///   - id: the number of the group, larger than any before; nil for the next one.
    ///   - priority: lower goes first.
    ///   - hasProperties: whether objects in it have properties.
    /// - Throws: as ``waitForSubscriber()``.
    public func beginGroup(
        _ id: UInt64? = nil,
        priority: UInt8 = 128,
        hasProperties: Bool = false
    ) async throws(MoQError) -> GroupWriter {
        try await self.begin { next in
            SubgroupDescription(
                group: id ?? next,
                publisherPriority: priority,
                hasProperties: hasProperties,
                containsEndOfGroup: true
            )
        }
    }

    /// Begins one subgroup of a group that has several. Waits while too many are under way.
    /// - Throws: as ``waitForSubscriber()``.
    public func beginSubgroup(_ description: SubgroupDescription) async throws(MoQError) -> GroupWriter {
        try await self.begin { _ in description }
    }

    /// Sends an object in a datagram: never waits, and may get lost. What does not fit into a packet, or finds the queue of
    /// datagrams full, is dropped and counted in ``MoQSessionCounters/datagramsNotSent``.
    ///
    /// Without a location it is the first object of the next group.
    /// - Returns: its location.
    /// - Throws: as ``waitForSubscriber()``.
    @discardableResult
    public func sendDatagram(
        _ payload: Bytes,
        at location: Location? = nil,
        priority: UInt8 = 128,
        properties: PropertyList = PropertyList()
    ) async throws(MoQError) -> Location {
        try await self.perform { $0.sendDatagram(payload, at: location, priority, properties) }
    }

    /// Ends the track, and the groups that are open. Returns when the subscriber has confirmed everything, at once when
    /// there is none.
    /// - Throws: `endedEarly` when the subscriber stopped reading; `sessionClosed`; `cancelled`, when the task is: then the
    ///   track has ended all the same.
    public func finish() async throws(MoQError) {
        try await self.perform { $0.finish() }
    }

    private func begin(
        _ makeDescription: @escaping @Sendable (UInt64) -> SubgroupDescription
    ) async throws(MoQError) -> GroupWriter {
        GroupWriter(try await self.perform { $0.begin(makeDescription) }, of: self)
    }

    /// Takes a step on the loop, as often as it takes.
    func perform<Value: Sendable>(
        _ step: @escaping @Sendable (TrackSource) -> TrackSource.Step<Value>
    ) async throws(MoQError) -> Value {
        let source = self.source
        while true {
            let outcome: TrackSource.Step<Value>
            do {
                outcome = try await source.loop.run { step(source.value) }
            } catch {
                throw MoQError(code: .sessionClosed, message: "the loop of the session has stopped")
            }
            switch outcome {
            case .done(let value):
                return value
            case .failed(let error):
                throw error
            case .wait(let waiter):
                await waiter.wait()
                guard !Task.isCancelled else {
                    source.loop.post { source.value.forget(waiter) }
                    throw MoQError(code: .cancelled, message: "the task that waited to write was cancelled")
                }
            }
        }
    }
}

/// A group, or one subgroup of it, that is being written. Made by ``TrackWriter``; callable from anywhere.
///
/// Without ``finish()`` the group ends as incomplete when the last reference is gone.
public final class GroupWriter: Sendable {
    private let writer: TrackWriter
    private let subgroup: LoopBound<SubgroupSource>

    init(_ subgroup: LoopBound<SubgroupSource>, of writer: TrackWriter) {
        self.writer = writer
        self.subgroup = subgroup
    }

    deinit {
        self.reset()
    }

    /// Writes an object. Waits while the subscriber's queue is full.
    ///
    /// - Parameters:
    ///   - payload: shared, not copied.
    ///   - id: the number of the object, larger than any before in the subgroup; nil for the next one.
    ///   - properties: those of the object, in a group that was begun with properties.
    /// - Throws: `invalidState` after the end of the group, or when one of the numbers or properties is not allowed;
    ///   otherwise as ``TrackWriter/waitForSubscriber()``.
    public func write(
        _ payload: Bytes,
        id: UInt64? = nil,
        properties: PropertyList = PropertyList()
    ) async throws(MoQError) {
        let subgroup = self.subgroup
        try await self.writer.perform { _ in subgroup.value.write([payload], from: id, properties: properties) }
    }

    /// Writes several objects at once, which costs one way to the loop and not one each.
    /// - Throws: as ``write(_:id:properties:)``.
    public func write(contentsOf payloads: [Bytes]) async throws(MoQError) {
        let subgroup = self.subgroup
        try await self.writer.perform { _ in
            subgroup.value.write(payloads, from: nil, properties: PropertyList())
        }
    }

    /// Says that the group is complete. Does not wait for its delivery; ``TrackWriter/finish()`` does.
    /// - Throws: `sessionClosed` when the loop has stopped.
    public func finish() async throws(MoQError) {
        let subgroup = self.subgroup
        try await self.writer.perform { _ in
            subgroup.value.finish()
            return .done(())
        }
    }

    /// Gives the group up: what was not delivered is discarded. Callable more than once, and after ``finish()`` without
    /// effect.
    public func reset() {
        self.subgroup.loop.post { [subgroup] in
            subgroup.value.reset()
        }
    }
}
