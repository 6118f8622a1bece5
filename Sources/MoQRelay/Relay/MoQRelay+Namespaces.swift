// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// Namespaces: who announces them and who follows them.
extension MoQRelay {
    func announce(_ request: IncomingPublishNamespace, from peer: RelayPeer) {
        let namespace = request.request.namespace
        guard !Self.isForbidden(namespace) else {
            request.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        var announcements = self.announcements[namespace] ?? []
        let limit = self.ledger.limit(peer, \.maximumNamespacesPerSession, self.configuration.maximumNamespaces)
        guard peer.announcements.count < limit,
            announcements.count < self.configuration.maximumPublishersPerNamespace + self.ledger.siblingCount,
            !announcements.isEmpty || !self.announcements.isFull
        else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "too many namespaces")
            return
        }
        let announcement = Announcement(owner: peer, request: request)
        let isNew = announcements.isEmpty
        announcements.append(announcement)
        self.announcements.insert(announcements, at: namespace)
        peer.announcements.append(announcement)
        if !peer.isSibling {
            self.ledger.counters.namespaces &+= 1
            self.ledger.counters.live.namespaces += 1
        }
        request.onWithdrawn = { [weak self, weak announcement] in
            guard let self, let announcement else {
                return
            }
            self.withdraw(announcement)
        }
        request.accept()
        if !peer.isUpstream {
            for upstream in self.upstreams {
                upstream.announce(namespace)
            }
        }
        if !peer.isSibling {
            for sibling in self.siblings {
                sibling.announce(namespace)
            }
        }
        self.publisherAppeared(peer, in: namespace)
        guard isNew else {
            return
        }
        for (_, feeds) in self.namespaceFeeds.prefixes(of: namespace) {
            // Another shard was told as all are; it follows only what upstream relays report.
            for feed in feeds where feed.wantsNamespaces && !feed.owner.isSibling {
                feed.request.publish(namespace)
            }
        }
    }

    /// An upstream relay reports that a namespace exists, or is gone.
    func upstreamReported(_ namespace: TrackNamespace, exists: Bool) {
        let before = self.remoteNamespaces[namespace] ?? 0
        let after = exists ? before + 1 : max(before - 1, 0)
        guard after != before, !Self.isForbidden(namespace) else {
            return
        }
        if after == 0 {
            self.remoteNamespaces.remove(namespace)
        } else if !self.remoteNamespaces.insert(after, at: namespace) {
            self.ledger.counters.requestsOverLimit &+= 1
            return
        }
        guard (before == 0) != (after == 0) else {
            return
        }
        let isAnnounced = self.announcements[namespace] != nil
        for (_, feeds) in self.namespaceFeeds.prefixes(of: namespace) {
            for feed in feeds where feed.wantsNamespaces && !feed.owner.isUpstream && !feed.owner.isClosed {
                // Who follows is told once of what is announced here, too. Another shard counts for itself.
                guard !isAnnounced || feed.owner.isSibling else {
                    continue
                }
                if exists {
                    feed.request.publish(namespace)
                } else {
                    feed.request.withdraw(namespace)
                }
            }
        }
    }

    func subscribeNamespace(_ request: IncomingSubscribeNamespace, from peer: RelayPeer) {
        let prefix = request.request.prefix
        guard !Self.isForbidden(prefix) else {
            request.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        let limit = self.ledger.limit(
            peer,
            \.maximumNamespaceSubscriptionsPerSession,
            self.configuration.maximumNamespaces
        )
        guard peer.namespaceFeeds.count < limit else {
            self.ledger.counters.requestsOverLimit &+= 1
            request.reject(.excessiveLoad, reason: "too many namespace subscriptions")
            return
        }
        let feed = NamespaceFeed(owner: peer, request: request)
        self.file(feed)
        peer.namespaceFeeds.append(feed)
        if !peer.isSibling {
            self.ledger.counters.namespaceSubscriptions &+= 1
            self.ledger.counters.live.namespaceSubscriptions += 1
        }
        request.onCancelled = { [weak self, weak feed] in
            guard let self, let feed else {
                return
            }
            self.cancel(feed)
        }
        request.onPrefixUpdate = { [weak self, weak feed] update in
            if let self, let feed {
                self.move(feed, update)
            }
        }
        request.accept()
        self.tellWhatExists(feed)
    }

    /// Tells the owner of a namespace subscription, which has just been accepted or moved, of the namespaces that exist, and
    /// offers it the tracks.
    private func tellWhatExists(_ feed: NamespaceFeed) {
        if feed.wantsNamespaces {
            if !feed.owner.isSibling {
                for (namespace, _) in self.announcements.all(under: feed.prefix) {
                    feed.request.publish(namespace)
                }
            }
            if !feed.owner.isUpstream {
                for (namespace, _) in self.remoteNamespaces.all(under: feed.prefix) {
                    feed.request.publish(namespace)
                }
            }
        }
        if feed.wantsTracks {
            for track in self.publishedTracks.all(under: feed.prefix) {
                self.offer(track, to: feed)
            }
        }
        // A session that does not read is closed by what it is told, and has nothing in the tree then.
        guard feed.owner.namespaceFeeds.contains(where: { $0 === feed }) else {
            return
        }
        if !feed.owner.isUpstream {
            for upstream in self.upstreams {
                upstream.follow(feed)
            }
        }
        if !feed.owner.isSibling {
            for sibling in self.siblings {
                sibling.follow(feed)
            }
        }
    }

    /// The owner of a namespace subscription wants to follow another prefix (draft-18 §10.9.2). The tracks that it was offered
    /// are subscriptions of their own, and stay.
    private func move(_ feed: NamespaceFeed, _ update: IncomingPrefixUpdate) {
        guard !Self.isForbidden(update.prefix) else {
            update.reject(.doesNotExist, reason: "the namespace is reserved")
            return
        }
        let old = feed.prefix
        self.unfile(feed)
        feed.prefix = update.prefix
        self.file(feed)
        update.accept()
        // Upstream relays are asked about the new one first, so that what both have in common stays known.
        self.tellWhatExists(feed)
        self.unfollow(old, feed)
    }

    /// Those who were asked about a prefix need not report on it any more, as far as this namespace subscription goes, which is
    /// not in the tree under it.
    private func unfollow(_ prefix: TrackNamespace, _ feed: NamespaceFeed) {
        if !feed.owner.isUpstream {
            for upstream in self.upstreams {
                upstream.unfollow(prefix, feed)
            }
        }
        if !feed.owner.isSibling {
            for sibling in self.siblings {
                sibling.unfollow(prefix, feed)
            }
        }
    }

    private func file(_ feed: NamespaceFeed) {
        self.namespaceFeeds.insert((self.namespaceFeeds[feed.prefix] ?? []) + [feed], at: feed.prefix)
    }

    /// Takes a namespace subscription out of the tree. Returns whether it was there.
    @discardableResult
    private func unfile(_ feed: NamespaceFeed) -> Bool {
        guard var feeds = self.namespaceFeeds[feed.prefix], let index = feeds.firstIndex(where: { $0 === feed }) else {
            return false
        }
        feeds.remove(at: index)
        if feeds.isEmpty {
            self.namespaceFeeds.remove(feed.prefix)
        } else {
            self.namespaceFeeds.insert(feeds, at: feed.prefix)
        }
        return true
    }

    private func withdraw(_ announcement: Announcement) {
        guard let index = announcement.owner.announcements.firstIndex(where: { $0 === announcement }) else {
            return
        }
        announcement.owner.announcements.remove(at: index)
        self.removeFromTree(announcement)
    }

    private func cancel(_ feed: NamespaceFeed) {
        guard let index = feed.owner.namespaceFeeds.firstIndex(where: { $0 === feed }) else {
            return
        }
        feed.owner.namespaceFeeds.remove(at: index)
        self.removeFromTree(feed)
    }

    /// Takes an announcement out of the tree. When it was the last one of its namespace, who follows it is told.
    func removeFromTree(_ announcement: Announcement) {
        announcement.request.onWithdrawn = nil
        let namespace = announcement.namespace
        guard var announcements = self.announcements[namespace],
            let index = announcements.firstIndex(where: { $0 === announcement })
        else {
            return
        }
        announcements.remove(at: index)
        if announcement.owner.isSibling {
            self.forgetTracks(in: namespace, of: announcement.owner)
        } else {
            self.ledger.counters.live.namespaces -= 1
            if announcements.allSatisfy({ $0.owner.isSibling }) {
                for sibling in self.siblings {
                    sibling.withdraw(namespace)
                }
            }
        }
        if announcements.allSatisfy({ $0.owner.isUpstream }) {
            for upstream in self.upstreams {
                upstream.withdraw(namespace)
            }
        }
        guard announcements.isEmpty else {
            self.announcements.insert(announcements, at: namespace)
            return
        }
        self.announcements.remove(namespace)
        let isRemote = self.remoteNamespaces[namespace] != nil
        for (_, feeds) in self.namespaceFeeds.prefixes(of: namespace) {
            for feed in feeds where feed.wantsNamespaces && !feed.owner.isClosed && !feed.owner.isSibling {
                guard !isRemote || feed.owner.isUpstream else {
                    continue
                }
                feed.request.withdraw(namespace)
            }
        }
    }

    /// Takes a namespace subscription that is over out of the tree.
    func removeFromTree(_ feed: NamespaceFeed) {
        feed.request.onCancelled = nil
        feed.request.onPrefixUpdate = nil
        guard self.unfile(feed) else {
            return
        }
        if !feed.owner.isSibling {
            self.ledger.counters.live.namespaceSubscriptions -= 1
        }
        self.unfollow(feed.prefix, feed)
    }

    /// Whether a client follows the namespaces, or the tracks, of a prefix that begins with this one.
    func isFollowed(_ prefix: TrackNamespace, where isMeant: (NamespaceFeed) -> Bool) -> Bool {
        self.namespaceFeeds.all(under: prefix).contains { _, feeds in
            feeds.contains { isMeant($0) && !$0.owner.isUpstream }
        }
    }
}
