// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// The relay's memory of objects, bounded in bytes, in groups of each track and in age. (loop)
///
/// When there is too much, the track that was of use least recently loses its lowest group first.
final class ObjectCache {
    /// What everything may count: payload, properties, and a share for the bookkeeping.
    let maximumCost: Int
    /// How many tracks are remembered.
    static let maximumTracks = 4_096
    /// How many groups of one track are remembered.
    let maximumGroups: Int
    /// How many microseconds an object is served at most.
    let maximumAge: UInt64
    /// What everything counts.
    private(set) var cost = 0
    /// How many groups were thrown out for want of room.
    private(set) var evictions: UInt64 = 0

    private var tracks: [FullTrackName: TrackCache] = [:]
    private var uses: UInt64 = 0

    init(maximumCost: Int, maximumGroups: Int, maximumAge: Duration) {
        self.maximumCost = max(0, maximumCost)
        self.maximumGroups = max(1, maximumGroups)
        let (seconds, attoseconds) = maximumAge.components
        let (micros, overflow) = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000)
        self.maximumAge = overflow ? .max : micros &+ UInt64(clamping: attoseconds / 1_000_000_000_000)
    }

    /// Whether anything is remembered at all.
    var isEnabled: Bool {
        self.maximumCost > 0
    }

    /// What is remembered of a track, if anything is.
    func existing(_ name: FullTrackName) -> TrackCache? {
        self.tracks[name]
    }

    /// What is remembered of a track; nothing for a new one.
    func track(_ name: FullTrackName) -> TrackCache {
        if let track = self.tracks[name] {
            return track
        }
        if self.tracks.count >= Self.maximumTracks {
            // A few more than necessary go, so that not every track costs a search.
            for victim in self.leastRecentlyUsed.prefix(Self.maximumTracks / 16) {
                self.remove(victim.name)
            }
        }
        let track = TrackCache(name: name, owner: self)
        self.tracks[name] = track
        self.used(track)
        return track
    }

    /// Forgets a track.
    func remove(_ name: FullTrackName) {
        self.tracks.removeValue(forKey: name)?.close()
    }

    /// Forgets the tracks of a source.
    func removeAll(from source: ObjectIdentifier) {
        for track in self.tracks.values.filter({ $0.source == source }) {
            self.remove(track.name)
        }
    }

    /// The tracks of a source that are in this namespace, or in one that begins with it.
    func tracks(from source: ObjectIdentifier, in namespace: TrackNamespace) -> [FullTrackName] {
        self.tracks.values.lazy.filter { $0.source == source }.map(\.name).filter { $0.namespace.hasPrefix(namespace) }
    }

    private var leastRecentlyUsed: [TrackCache] {
        self.tracks.values.sorted { $0.lastUse < $1.lastUse }
    }

    /// A track is of use.
    func used(_ track: TrackCache) {
        self.uses &+= 1
        track.lastUse = self.uses
    }

    /// Everything counts so much more.
    func changed(by delta: Int) {
        self.cost += delta
    }

    /// Throws out the lowest groups of a track that has too many.
    func trimGroups(of track: TrackCache, keeping group: CachedGroup) {
        while track.groupCount > self.maximumGroups, track.evictLowestGroup(keeping: group) {
            self.evictions &+= 1
        }
    }

    /// Throws out groups while everything counts too much; the one that is being written goes last.
    func trim(keeping group: CachedGroup) {
        guard self.cost > self.maximumCost else {
            return
        }
        // A little more than necessary goes, so that not every group costs a search.
        let goal = self.maximumCost - self.maximumCost / 16
        for victim in self.leastRecentlyUsed {
            while self.cost > goal, victim.evictLowestGroup(keeping: group) {
                self.evictions &+= 1
            }
            guard self.cost > goal else {
                return
            }
        }
        // Nothing but that group is left.
        if self.cost > self.maximumCost, group.cache?.evictLowestGroup() == true {
            self.evictions &+= 1
        }
    }
}
