// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// The objects of one group that the relay remembers, by their ids. (loop)
///
/// Who writes a subgroup looks its group up once and keeps it. When the group leaves the cache meanwhile, what is written
/// to it goes nowhere.
final class CachedGroup {
    let id: UInt64
    /// The cache that the group is part of; nil when it was thrown out.
    private(set) weak var cache: TrackCache?
    /// In the order of their ids.
    private(set) var objects: [CachedObject] = []
    /// How much they count.
    private(set) var cost = CachedObject.overhead

    /// Makes a group; without a cache it takes nothing in.
    init(id: UInt64, cache: TrackCache?) {
        self.id = id
        self.cache = cache
    }

    /// Adds an object. Returns false when there is one with that id already, which counts, or when the group was thrown out.
    @discardableResult
    func insert(_ object: CachedObject) -> Bool {
        guard let cache = self.cache, !cache.isAbsent(object.location) else {
            return false
        }
        let id = object.location.object
        if let last = self.objects.last, last.location.object >= id {
            let index = self.index(atOrAfter: id)
            let old = self.objects[index]
            guard old.location.object != id || old.state == .abandoned || cache.isExpired(old, at: object.arrival)
            else {
                return false
            }
            if old.location.object == id {
                self.cost -= old.cost
                cache.changed(by: -old.cost)
                self.objects[index] = object
            } else {
                self.objects.insert(object, at: index)
            }
        } else {
            self.objects.append(object)
        }
        self.cost += object.cost
        cache.changed(by: object.cost)
        cache.grew(self)
        return true
    }

    /// The first object with this id or a higher one that can be served, or will be.
    func object(atOrAfter id: UInt64, isServable: (CachedObject) -> Bool) -> CachedObject? {
        var index = self.index(atOrAfter: id)
        while index < self.objects.count {
            if isServable(self.objects[index]) {
                return self.objects[index]
            }
            index += 1
        }
        return nil
    }

    /// The group is thrown out of the cache.
    func detach() {
        self.cache = nil
        self.objects = []
    }

    private func index(atOrAfter id: UInt64) -> Int {
        self.objects.partitioningIndex { $0.location.object >= id }
    }
}
