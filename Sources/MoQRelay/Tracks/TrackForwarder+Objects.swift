// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQProtocol
import MoQWire
import PacketLoop
import WebTransport

/// The objects of a track, of one publisher or of several.
extension TrackForwarder {
    // MARK: Subgroups

    func beginSubgroup(_ description: SubgroupDescription, from feed: UpstreamFeed) -> (any SubgroupConsumer)? {
        let isPast = self.merge?.isPast(description.group) == true
        if isPast {
            self.endMergingSoon()
        }
        guard let merge = self.merge, !isPast else {
            let subgroup = self.makeSubgroup(description, from: feed)
            subgroup.begin()
            return self.isOver ? nil : subgroup
        }
        if let first = feed.firstWholeGroup, description.group > first {
            self.leave(inFavourOf: feed)
        }
        do throws(MalformedTrack) {
            let copy = try SubgroupCopy(description, of: feed, track: self, merge: merge)
            copy.findPlace()
            return self.isOver ? nil : copy
        } catch {
            self.contradicted(error.reason)
            return nil
        }
    }

    private func makeSubgroup(
        _ description: SubgroupDescription,
        from feed: UpstreamFeed?,
        after last: UInt64? = nil
    ) -> SubgroupForwarder {
        let subgroup = SubgroupForwarder(description, of: feed, after: last, forwarder: self, ledger: self.ledger)
        subgroup.index = self.subgroups.count
        self.subgroups.append(subgroup)
        self.ledger.counters.live.subgroups += 1
        for subscriber in self.subscribers {
            subgroup.add(subscriber)
        }
        self.resumeSoon()
        return subgroup
    }

    func subgroupEnded(_ subgroup: SubgroupForwarder, _ record: SubgroupHistory.Record) {
        let index = subgroup.index
        guard index < self.subgroups.count, self.subgroups[index] === subgroup else {
            return
        }
        let last = self.subgroups.removeLast()
        if last !== subgroup {
            self.subgroups[index] = last
            last.index = index
        }
        self.ledger.counters.live.subgroups -= 1
        self.history.note(record)
    }

    // MARK: Several publishers

    /// A publisher has the track besides others.
    ///
    /// It may be ahead of them, so in the group that it joins in they say what comes next, as long as they are there.
    func beginMerging(with feed: UpstreamFeed) {
        feed.firstWholeGroup = (self.largest?.group).map { $0 == .max ? $0 : $0 + 1 }
        let merge = self.merge ?? TrackMerge()
        merge.goOn(until: nil)
        self.merge = merge
        self.history.capacity = SubgroupHistory.mergingCapacity
        let open = self.subgroups
        do throws(MalformedTrack) {
            for subgroup in open {
                try subgroup.beginMerging(merge, of: self)
            }
        } catch {
            self.contradicted(error.reason)
        }
    }

    /// A publisher has brought a whole group: an upstream relay that sent this one there is not needed any more.
    private func leave(inFavourOf feed: UpstreamFeed) {
        for other in self.upstreams where other !== feed && other.owner.isLeft(for: feed.owner) {
            self.drop(other)
            self.publisherLeft()
            self.passOnMemory()
            self.relay?.closeIfLeft(other.owner)
        }
    }

    /// One publisher is left, or none.
    func publisherLeft() {
        guard let merge = self.merge, self.upstreams.count(where: { $0.state == .established }) < 2 else {
            return
        }
        merge.goOn(until: self.largest)
        if self.largest == nil {
            self.endMerging()
        }
    }

    /// The publisher that is left has begun to send what no other one sent. Streams from before may have been overtaken on the
    /// way, and are compared with what the others brought for a while.
    private func endMergingSoon() {
        guard let merge = self.merge, merge.end == nil else {
            return
        }
        merge.end = self.ledger.loop.schedule(after: TrackMerge.patience) { [weak self] in
            self?.endMerging()
        }
    }

    func endMerging() {
        self.merge?.end?.cancel()
        self.merge = nil
        self.history.capacity = SubgroupHistory.usualCapacity
    }

    /// Where the objects of a stream go.
    func place(for copy: SubgroupCopy) -> SubgroupCopy.Place {
        let description = copy.description
        guard !self.isOver else {
            return .spent
        }
        if let open = self.subgroups.last(where: { $0.isSame(as: description) }) {
            guard open.description.hasProperties || !description.hasProperties else {
                // What it brings cannot be told on the streams that are open.
                return .spent
            }
            open.add(copy)
            return .attached(open)
        }
        let record = self.history.record(ofGroup: description.group, subgroup: description.subgroup)
        guard record?.isComplete != true else {
            return .spent
        }
        guard record != nil || self.mayLead(copy.source, in: description.group) else {
            return .undecided
        }
        let subgroup = self.makeSubgroup(description, from: nil, after: record?.last)
        subgroup.add(copy)
        if record?.last == nil {
            subgroup.begin()
        }
        return .attached(subgroup)
    }

    /// Whether a publisher that brings a subgroup first may say where it begins: not while another one is there that has
    /// been for longer, and may be behind.
    private func mayLead(_ feed: UpstreamFeed?, in group: UInt64) -> Bool {
        guard let first = feed?.firstWholeGroup, group < first else {
            return true
        }
        return !self.upstreams.contains {
            $0 !== feed && $0.state == .established && ($0.firstWholeGroup.map { group >= $0 } ?? true)
        }
    }

    /// The publishers do not bring the same, so that the track is malformed (draft-18 §2.4.4). Which of them is right is not
    /// known: all are left.
    func contradicted(_ reason: String) {
        guard !self.isOver else {
            return
        }
        self.ledger.counters.tracksContradicted &+= 1
        self.relay?.forget(self.name)
        self.relay?.contradictions.note(self.name, at: self.ledger.loop.now)
        let feeds = self.upstreams
        self.finish(resetting: .malformedTrack)
        for feed in feeds {
            self.drop(feed)
        }
        self.rejectWaiting(.malformedTrack, reason: reason)
        self.endSubscribers(.malformedTrack, reason: reason)
    }

    /// An object came that another publisher brought, or will have brought.
    func countDuplicate() {
        self.ledger.counters.objectsDuplicate &+= 1
    }

    // MARK: Datagrams

    func receive(_ datagram: ObjectDatagram, payload: Bytes, from feed: UpstreamFeed) {
        let location = Location(group: datagram.groupID, object: datagram.objectID)
        guard self.merge?.isPast(location.group) != false || self.isNew(datagram, payload, at: location) else {
            return
        }
        self.observed(location)
        self.record(datagram, payload: payload)
        let size = UInt64(payload.count)
        if !feed.owner.isSibling {
            self.ledger.counters.countIn(objects: 1, bytes: size)
        }
        var handed: UInt64 = 0
        var crossed: UInt64 = 0
        // The array keeps all of them until the last one was served, so none needs a reference more for its turn.
        withExtendedLifetime(self.subscribers) { subscribers in
            var index = 0
            while index < subscribers.count {
                let subscriber = unsafe Unmanaged.passUnretained(subscribers[index])
                index += 1
                unsafe subscriber._withUnsafeGuaranteedRef { subscriber in
                    guard !subscriber.isOver, subscriber.publisher.forward else {
                        return
                    }
                    subscriber.publisher.receive(datagram, payload: payload)
                    if subscriber.isSibling {
                        crossed &+= 1
                    } else {
                        handed &+= 1
                    }
                }
            }
        }
        self.ledger.counters.countOut(objects: handed, bytes: handed &* size)
        self.ledger.counters.countCrossed(objects: crossed, bytes: crossed &* size)
        if handed == 0, crossed == 0 {
            self.ledger.counters.objectsWithoutSubscriber &+= 1
        }
    }

    /// Whether no publisher brought the datagram before, and nothing speaks against it.
    private func isNew(_ datagram: ObjectDatagram, _ payload: Bytes, at location: Location) -> Bool {
        guard let merge = self.merge else {
            return true
        }
        do throws(MalformedTrack) {
            try merge.integrity.receive(
                datagram,
                payload: payload.span,
                priority: datagram.publisherPriority ?? self.properties.defaultPublisherPriority ?? 128
            )
        } catch {
            self.contradicted(error.reason)
            return false
        }
        guard merge.admit(datagramAt: location) else {
            self.countDuplicate()
            return false
        }
        return true
    }

    private func record(_ datagram: ObjectDatagram, payload: Bytes) {
        guard let cache = self.cache else {
            return
        }
        let location = Location(group: datagram.groupID, object: datagram.objectID)
        var group = self.datagramGroup?.id == location.group ? self.datagramGroup : nil
        let object = cache.record(
            FetchObjectHeader(
                location: location,
                subgroupID: nil,
                publisherPriority: datagram.publisherPriority ?? self.properties.defaultPublisherPriority ?? 128,
                properties: datagram.properties,
                payloadLength: UInt64(payload.count)
            ),
            status: datagram.status,
            in: &group,
            now: self.ledger.loop.now.microseconds
        )
        self.datagramGroup = group
        object?.append(payload)
        if datagram.endsGroup, datagram.status == .normal {
            cache.noteEndOfGroup(after: location)
        }
    }
}
