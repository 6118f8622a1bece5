// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import WebTransport

/// What one side of a session tells at its end.
struct PeerReport: Sendable {
    /// A stream that this side sent on.
    struct Sent: Sendable {
        var accepted: UInt64
        var phase: ChaosWriter.Phase
        var hasEndWritten: Bool
    }

    /// A stream that this side received on.
    struct Received: Sendable {
        var key: UInt64?
        var count: UInt64
        var phase: ChaosReader.Phase
    }

    var name: String
    /// What this side's streams and datagrams are marked with, and what the peer's were.
    var key: UInt64
    var peerKey: UInt64?
    var info: WebTransportCloseInfo
    var sent: [StreamID: Sent]
    var received: [StreamID: Received]
    var datagramsAccepted: Int
    var datagramsReceived: Int
}

/// Compares what the sides of the sessions told.
struct Reconciliation {
    private let context: EpisodeContext
    private let byKey: [UInt64: PeerReport]

    init(_ context: EpisodeContext) {
        self.context = context
        var byKey: [UInt64: PeerReport] = [:]
        for report in context.reports { byKey[report.key] = report }
        self.byKey = byKey
    }

    /// Compares them all, as far as both ends are known.
    func run() {
        for report in self.byKey.values.sorted(by: { $0.name < $1.name }) {
            self.context.count(
                "stream bytes accepted",
                Int(clamping: report.sent.values.reduce(0) { $0 + $1.accepted })
            )
            self.context.count(
                "stream bytes received",
                Int(clamping: report.received.values.reduce(0) { $0 + $1.count })
            )
            self.context.count("datagrams received", report.datagramsReceived)
            guard self.context.seesBothEnds, let peerKey = report.peerKey else { continue }
            guard let other = self.byKey[peerKey] else {
                self.context.violate(.accepted, "\(report.name) heard from somebody who is not there")
                continue
            }
            self.compare(report, with: other)
        }
    }

    /// Compares those with what their peers in another process told.
    func run(with others: [PeerReport]) {
        for other in others {
            guard let peerKey = other.peerKey, let report = self.byKey[peerKey] else { continue }
            self.compare(report, with: other)
            self.compare(other, with: report)
        }
    }

    private func compare(_ report: PeerReport, with other: PeerReport) {
        let context = self.context
        let names = "\(report.name) and \(other.name)"
        if let back = other.peerKey {
            context.check(back == report.key, .accepted, "\(names): one hears the other, but not the other way round")
        }
        context.check(
            report.datagramsReceived <= other.datagramsAccepted,
            .datagram,
            "\(names): \(other.datagramsAccepted) were accepted, \(report.datagramsReceived) arrived"
        )
        if report.info.origin == .peer {
            // The other one may have closed as well, or be stopped: then its own code went out.
            if other.info.origin == .local {
                context.check(
                    report.info.code == other.info.code && report.info.reason == other.info.reason,
                    .code,
                    "\(names): closed with \(other.info), told \(report.info)"
                )
            }
        }
        for (id, received) in report.received {
            // Without its first bytes nobody knows whose stream it was.
            guard received.key != nil else { continue }
            let what = "stream \(id) of \(other.name) to \(report.name)"
            guard let sent = other.sent[id] else {
                context.violate(.accepted, "\(what) was never opened")
                continue
            }
            let count = received.count
            context.check(
                count <= sent.accepted,
                .accepted,
                "\(what): \(sent.accepted) bytes accepted, \(count) arrived"
            )
            if case .finished = received.phase {
                // That all of it arrived the reader has seen by the trailer. Whether the writer learns of it is another matter:
                // it may reset the stream, or the session may end, before the acknowledgement comes.
                context.check(
                    sent.hasEndWritten,
                    .end,
                    "\(what) arrived finished, but its end was never written: \(sent.phase)"
                )
            }
            if case .complete(isDelivered: true) = sent.phase, case .reset = received.phase {
                context.violate(.end, "\(what) was delivered, but its reader was told of a reset")
            }
        }
    }
}
