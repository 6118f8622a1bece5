// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension WebTransportStatistics {
    /// What a session that has ended leaves in a sum.
    public var totals: WebTransportStatistics {
        var totals = self
        // The end has woken whoever waits, even if none of them has had its turn yet.
        totals.waitsEnded = self.waitsBegun
        totals.path = self.path?.totals
        return totals
    }

    /// Adds the figures of another session. Of what is the most ever queued, the larger stays.
    public mutating func add(_ other: WebTransportStatistics) {
        self.streamsOpened &+= other.streamsOpened
        self.streamsAccepted &+= other.streamsAccepted
        self.streamsRefused &+= other.streamsRefused
        self.streamsRetired &+= other.streamsRetired
        self.streamBytesWritten &+= other.streamBytesWritten
        self.streamBytesDropped &+= other.streamBytesDropped
        self.streamBytesTaken &+= other.streamBytesTaken
        self.streamBytesReceived &+= other.streamBytesReceived
        self.streamBytesConsumed &+= other.streamBytesConsumed
        self.queuedByteCount &+= other.queuedByteCount
        self.maximumQueuedByteCount = max(self.maximumQueuedByteCount, other.maximumQueuedByteCount)
        self.bufferedByteCount &+= other.bufferedByteCount
        self.activations &+= other.activations
        self.emptyOffers &+= other.emptyOffers
        self.refusedOffers &+= other.refusedOffers
        self.windowUpdates &+= other.windowUpdates
        self.staleEvents &+= other.staleEvents
        self.misdirectedEvents &+= other.misdirectedEvents
        self.waitsBegun &+= other.waitsBegun
        self.waitsEnded &+= other.waitsEnded
        self.datagramsAccepted &+= other.datagramsAccepted
        self.datagramsSent &+= other.datagramsSent
        self.datagramsReceived &+= other.datagramsReceived
        self.datagramsQueued &+= other.datagramsQueued
        self.datagramBytesQueued &+= other.datagramBytesQueued
        self.maximumDatagramsQueued = max(self.maximumDatagramsQueued, other.maximumDatagramsQueued)
        self.datagramsDroppedFull &+= other.datagramsDroppedFull
        self.datagramsDroppedLate &+= other.datagramsDroppedLate
        self.datagramsDroppedOversize &+= other.datagramsDroppedOversize
        self.datagramsDroppedClosed &+= other.datagramsDroppedClosed
        self.datagramsUnclaimed &+= other.datagramsUnclaimed
        guard let path = other.path else { return }
        self.path = self.path ?? WebTransportPathStatistics()
        self.path?.add(path)
    }
}
