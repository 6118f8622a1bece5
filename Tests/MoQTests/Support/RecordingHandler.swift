// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// Writes down what a session tells, and decides by closures.
final class RecordingHandler: MoQSessionHandler {
    var setups = 0
    var subscribes: [IncomingSubscribe] = []
    var publishes: [IncomingPublish] = []
    var announcements: [IncomingPublishNamespace] = []
    var feeds: [IncomingSubscribeNamespace] = []
    var fetches: [IncomingFetch] = []
    var statuses: [IncomingTrackStatus] = []
    var goaways: [(uri: String?, timeout: Duration?)] = []
    var requestGoaways: [(goaway: SessionGoaway, request: RequestID)] = []
    var closures: [MoQSessionClosure] = []

    var onSetUp: ((MoQSession) -> Void)?
    var onSubscribe: ((IncomingSubscribe) -> Void)?
    var onPublish: ((IncomingPublish) -> Void)?
    var onAnnouncement: ((IncomingPublishNamespace) -> Void)?
    var onFeed: ((IncomingSubscribeNamespace) -> Void)?
    var onFetch: ((IncomingFetch) -> Void)?
    var onTrackStatus: ((IncomingTrackStatus) -> Void)?
    var onGoaway: ((MoQSession) -> Void)?
    var onClose: ((MoQSession) -> Void)?

    func sessionDidSetUp(_ session: MoQSession) {
        self.setups += 1
        self.onSetUp?(session)
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {
        if let onSubscribe = self.onSubscribe {
            onSubscribe(request)
        } else {
            self.subscribes.append(request)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublish) {
        if let onPublish = self.onPublish {
            onPublish(request)
        } else {
            self.publishes.append(request)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {
        if let onAnnouncement = self.onAnnouncement {
            onAnnouncement(request)
        } else {
            self.announcements.append(request)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {
        if let onFeed = self.onFeed {
            onFeed(request)
        } else {
            self.feeds.append(request)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingFetch) {
        if let onFetch = self.onFetch {
            onFetch(request)
        } else {
            self.fetches.append(request)
        }
    }

    func session(_ session: MoQSession, didReceive request: IncomingTrackStatus) {
        if let onTrackStatus = self.onTrackStatus {
            onTrackStatus(request)
        } else {
            self.statuses.append(request)
        }
    }

    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {
        self.goaways.append((uri, timeout))
        self.onGoaway?(session)
    }

    func session(_ session: MoQSession, didReceiveGoaway goaway: SessionGoaway, for request: RequestID) {
        self.requestGoaways.append((goaway, request))
    }

    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {
        self.closures.append(closure)
        self.onClose?(session)
    }
}

/// Writes down what a publisher's delegate is told.
final class RecordingDelegate: TrackPublisherDelegate {
    var forwards: [Bool] = []
    var updates: [SubscriptionParameters] = []
    var drains = 0
    var ends: [TrackPublisherEnd] = []
    var onForward: ((TrackPublisher, Bool) -> Void)?
    var onEnd: ((TrackPublisher) -> Void)?

    func trackPublisher(_ publisher: TrackPublisher, didChangeForward forward: Bool) {
        self.forwards.append(forward)
        self.onForward?(publisher, forward)
    }

    func trackPublisher(_ publisher: TrackPublisher, didUpdate parameters: SubscriptionParameters) {
        self.updates.append(parameters)
    }

    func trackPublisherDidDrain(_ publisher: TrackPublisher) {
        self.drains += 1
    }

    func trackPublisher(_ publisher: TrackPublisher, didEnd end: TrackPublisherEnd) {
        self.ends.append(end)
        self.onEnd?(publisher)
    }
}

/// A handler that implements nothing but what it must.
final class BareHandler: MoQSessionHandler {
    func sessionDidSetUp(_ session: MoQSession) {}
    func session(_ session: MoQSession, didReceive request: IncomingSubscribe) {}
    func session(_ session: MoQSession, didReceive request: IncomingPublish) {}
    func session(_ session: MoQSession, didReceive request: IncomingPublishNamespace) {}
    func session(_ session: MoQSession, didReceive request: IncomingSubscribeNamespace) {}
    func session(_ session: MoQSession, didReceiveGoaway uri: String?, timeout: Duration?) {}
    func session(_ session: MoQSession, didClose closure: MoQSessionClosure) {}
}
