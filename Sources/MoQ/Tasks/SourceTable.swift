// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// The tracks that tasks publish in a session, and the namespaces that were announced for them. (loop)
final class SourceTable {
    private struct Announcement {
        var publication: NamespacePublication
        var sourceCount: Int
    }

    private var sources: [FullTrackName: TrackSource] = [:]
    private var announcements: [TrackNamespace: Announcement] = [:]

    /// The source of a track, if a task publishes it.
    func source(of track: FullTrackName) -> TrackSource? {
        self.sources.isEmpty ? nil : self.sources[track]
    }

    /// Takes a source in. `response` is called once, when its namespace is announced.
    func add(
        _ source: TrackSource,
        announces: Bool,
        of session: MoQSession,
        response: @escaping (Result<Void, MoQError>) -> Void
    ) {
        guard session.isOpen else {
            response(.failure(MoQError(code: .sessionClosed, message: "the session is closed")))
            return
        }
        guard self.sources[source.track] == nil else {
            let text = "the session publishes \(source.track) already"
            response(.failure(MoQError(code: .invalidState, message: text)))
            return
        }
        self.sources[source.track] = source
        guard announces else {
            response(.success(()))
            return
        }
        let namespace = source.track.namespace
        source.isAnnounced = true
        if self.announcements[namespace] != nil {
            self.announcements[namespace]?.sourceCount += 1
            response(.success(()))
            return
        }
        let publication = session.publishNamespace(namespace) { [weak self] result in
            if case .failure(let error) = result {
                self?.lost(namespace, error)
                // Nobody gets a writer for it.
                self?.remove(source)
            }
            response(result)
        }
        publication.onCancelled = { [weak self] code, reason in
            let text = "the peer does not want the namespace any more: \(reason)"
            self?.lost(namespace, MoQError(code: .cancelledByPeer, message: text, requestError: code))
        }
        self.announcements[namespace] = Announcement(publication: publication, sourceCount: 1)
    }

    /// A source is over. The last one of a namespace takes its announcement along.
    func remove(_ source: TrackSource) {
        guard self.sources[source.track] === source else {
            return
        }
        self.sources[source.track] = nil
        let namespace = source.track.namespace
        guard source.isAnnounced, var announcement = self.announcements[namespace] else {
            return
        }
        announcement.sourceCount -= 1
        self.announcements[namespace] = announcement.sourceCount > 0 ? announcement : nil
        if announcement.sourceCount == 0 {
            announcement.publication.withdraw()
        }
    }

    /// The session is over.
    func closed(_ error: MoQError) {
        self.announcements = [:]
        for source in self.sources.values {
            source.fail(error)
        }
        self.sources = [:]
    }

    private func lost(_ namespace: TrackNamespace, _ error: MoQError) {
        self.announcements[namespace] = nil
        for source in self.sources.values where source.isAnnounced && source.track.namespace == namespace {
            source.fail(error)
        }
    }
}
