// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop

/// What an upstream relay is asked about namespaces, or about tracks, for the subscribers here. (loop)
///
/// A session must not follow two prefixes of which one begins with the other. So what is asked upstream are the shortest of
/// the prefixes that are followed here: they bring what the longer ones are about as well, and stay as long as any of
/// those is followed.
final class UpstreamDiscovery {
    /// Begins to follow a prefix on the session with the upstream relay.
    typealias Follow = (
        _ prefix: TrackNamespace,
        _ events: @escaping (NamespaceEvent) -> Void,
        _ response: @escaping (Result<Void, MoQError>) -> Void
    ) -> NamespaceSubscription

    /// One prefix that is followed.
    private final class Entry {
        var subscription: NamespaceSubscription?
        /// What exists, as far as was told.
        var namespaces: Set<TrackNamespace> = []
        /// What of that a prefix brought which this one replaces.
        var inherited: Set<TrackNamespace> = []
        var retry: LoopTimer?
        var heirloomTimer: LoopTimer?
    }

    /// Told of each namespace that exists upstream, once, and when it is gone.
    var onChange: ((_ namespace: TrackNamespace, _ exists: Bool) -> Void)?

    private let loop: PacketLoop
    private let follow: Follow
    private var entries: [TrackNamespace: Entry] = [:]

    /// How long to wait before a prefix is followed again that was refused because it overlaps: the end of what it overlaps
    /// with travels on another stream, and may be overtaken.
    private static let retries: [Duration] = [
        .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800),
    ]

    /// How long it may take until what existed under a longer prefix is told under the shorter one.
    private static let listTime = Duration.seconds(5)

    init(on loop: PacketLoop, follow: @escaping Follow) {
        self.loop = loop
        self.follow = follow
    }

    /// A prefix is followed here.
    func add(_ prefix: TrackNamespace) {
        guard !self.entries.keys.contains(where: { prefix.hasPrefix($0) }) else {
            return
        }
        let entry = Entry()
        for longer in self.entries.keys.filter({ $0.hasPrefix(prefix) }) {
            if let old = self.entries.removeValue(forKey: longer) {
                entry.inherited.formUnion(old.namespaces)
                self.end(old)
            }
        }
        self.entries[prefix] = entry
        if !entry.inherited.isEmpty {
            entry.namespaces = entry.inherited
            entry.heirloomTimer = self.loop.schedule(after: Self.listTime) { [weak self, weak entry] in
                if let self, let entry {
                    self.dropHeirlooms(of: entry)
                }
            }
        }
        self.ask(prefix, entry, attempt: 0)
    }

    /// A prefix is not followed here any more. `isWanted` says whether any is that begins with another one.
    func remove(_ prefix: TrackNamespace, isWanted: (TrackNamespace) -> Bool) {
        guard let key = self.entries.keys.first(where: { prefix.hasPrefix($0) }), !isWanted(key),
            let entry = self.entries.removeValue(forKey: key)
        else {
            return
        }
        self.end(entry)
        self.tellGone(entry.namespaces)
    }

    private func tellGone(_ namespaces: Set<TrackNamespace>) {
        for namespace in namespaces {
            self.onChange?(namespace, false)
        }
    }

    /// What was not told again does not exist any more.
    private func dropHeirlooms(of entry: Entry) {
        let gone = entry.inherited
        entry.inherited = []
        entry.namespaces.subtract(gone)
        self.tellGone(gone)
    }

    /// The session is over, or nothing is asked any more.
    func close() {
        let entries = self.entries
        self.entries = [:]
        for entry in entries.values {
            self.end(entry)
            self.tellGone(entry.namespaces)
        }
    }

    private func end(_ entry: Entry) {
        entry.retry?.cancel()
        entry.retry = nil
        entry.heirloomTimer?.cancel()
        entry.heirloomTimer = nil
        let subscription = entry.subscription
        entry.subscription = nil
        subscription?.cancel()
    }

    private func ask(_ prefix: TrackNamespace, _ entry: Entry, attempt: Int) {
        let events: (NamespaceEvent) -> Void = { [weak self, weak entry] event in
            if let self, let entry, self.entries[prefix] === entry {
                self.happened(event, to: entry)
            }
        }
        let response: (Result<Void, MoQError>) -> Void = { [weak self, weak entry] result in
            if case .failure(let error) = result, let self, let entry, self.entries[prefix] === entry {
                self.refused(prefix, entry, error, attempt: attempt)
            }
        }
        entry.subscription = self.follow(prefix, events, response)
    }

    private func happened(_ event: NamespaceEvent, to entry: Entry) {
        switch event {
        case .published(let namespace):
            entry.inherited.remove(namespace)
            if entry.namespaces.insert(namespace).inserted {
                self.onChange?(namespace, true)
            }
        case .withdrawn(let namespace):
            entry.inherited.remove(namespace)
            if entry.namespaces.remove(namespace) != nil {
                self.onChange?(namespace, false)
            }
        case .ended:
            self.forget(entry)
        case .blocked:
            break
        }
    }

    private func refused(_ prefix: TrackNamespace, _ entry: Entry, _ error: MoQError, attempt: Int) {
        guard error.requestError == .prefixOverlap, attempt < Self.retries.count else {
            self.forget(entry)
            return
        }
        entry.subscription = nil
        entry.retry = self.loop.schedule(after: Self.retries[attempt]) { [weak self, weak entry] in
            if let self, let entry, self.entries[prefix] === entry {
                self.ask(prefix, entry, attempt: attempt + 1)
            }
        }
    }

    /// The upstream relay does not tell.
    private func forget(_ entry: Entry) {
        entry.subscription = nil
        entry.inherited = []
        let namespaces = entry.namespaces
        entry.namespaces = []
        self.tellGone(namespaces)
    }
}
