// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import WebTransport

/// What the process that leads an episode tells its child to do, one line of JSON each.
enum ChildOrder: Codable, Sendable {
    /// What the child has to know; the first of all orders.
    struct Beginning: Codable, Sendable {
        /// What the plan is drawn from.
        var seed: UInt64
        /// Which of the server's processes of the plan it is.
        var life: Int
        /// Where to listen; 0 for a port that the system chooses.
        var port: UInt16
        /// The certificate and its key, PEM.
        var certificate: Data
        var key: Data
        /// The names of defects to put in on purpose.
        var sabotage: String?
    }

    case begin(Beginning)
    /// To close all sessions.
    case close(code: UInt64)
    /// To block the endpoint's thread for a while.
    case freeze(milliseconds: Int)
    /// To bring every stream to its end, and say ``ChildWord/settled``.
    case settle
    /// To stop in order, to tell how that went, and to exit.
    case stop(code: UInt64)
}

/// What a child tells, one line of JSON each.
enum ChildWord: Codable, Sendable {
    /// What a child that has stopped still holds. Everything is to be zero.
    struct Remains: Codable, Sendable {
        var connections = 0
        var connectionsNotEnded = 0
        var sessions = 0
        var timers = 0
        var jobs = 0
        var sockets = 0
        var objects = 0
        var waiters = 0

        /// The names of those that are not zero.
        var complaints: [String] {
            [
                ("live connections", self.connections), ("connections that never ended", self.connectionsNotEnded),
                ("sessions", self.sessions), ("timers", self.timers), ("jobs", self.jobs), ("sockets", self.sockets),
                ("objects", self.objects), ("waiters", self.waiters),
            ].filter { $0.1 != 0 }.map { "\($0.1) \($0.0)" }
        }
    }

    case listening(port: UInt16)
    case settled
    case report(ChildReport)
    case violation(invariant: String, seen: String)
    case counts([String: Int])
    /// The last word.
    case ended(Remains)
}

/// A ``PeerReport`` on its way to the parent.
struct ChildReport: Codable, Sendable {
    private struct Sent: Codable {
        var stream: UInt64
        var accepted: UInt64
        var phase: ChaosWriter.Phase
        var hasEndWritten: Bool
    }

    private struct Received: Codable {
        var stream: UInt64
        var key: UInt64?
        var count: UInt64
        var phase: ChaosReader.Phase
    }

    private enum Origin: Codable {
        case local
        case peer
        case transport(String)
    }

    private var name: String
    private var key: UInt64
    private var peerKey: UInt64?
    private var origin: Origin
    private var code: UInt64
    private var reason: String
    private var sent: [Sent]
    private var received: [Received]
    private var datagramsAccepted: Int
    private var datagramsReceived: Int

    init(_ report: PeerReport) {
        self.name = report.name
        self.key = report.key
        self.peerKey = report.peerKey
        self.origin =
            switch report.info.origin {
            case .local: .local
            case .peer: .peer
            case .transport(let cause): .transport(cause.rawValue)
            }
        self.code = report.info.code
        self.reason = report.info.reason
        self.sent = report.sent.map { id, sent in
            Sent(stream: id.rawValue, accepted: sent.accepted, phase: sent.phase, hasEndWritten: sent.hasEndWritten)
        }
        self.received = report.received.map { id, received in
            Received(stream: id.rawValue, key: received.key, count: received.count, phase: received.phase)
        }
        self.datagramsAccepted = report.datagramsAccepted
        self.datagramsReceived = report.datagramsReceived
    }

    /// The report that was sent.
    var report: PeerReport {
        let origin: WebTransportCloseInfo.Origin =
            switch self.origin {
            case .local: .local
            case .peer: .peer
            case .transport(let cause): .transport(.init(rawValue: cause) ?? .other)
            }
        let sent = self.sent.map { sent in
            (
                StreamID(rawValue: sent.stream),
                PeerReport.Sent(accepted: sent.accepted, phase: sent.phase, hasEndWritten: sent.hasEndWritten)
            )
        }
        let received = self.received.map { received in
            (
                StreamID(rawValue: received.stream),
                PeerReport.Received(key: received.key, count: received.count, phase: received.phase)
            )
        }
        return PeerReport(
            name: self.name,
            key: self.key,
            peerKey: self.peerKey,
            info: WebTransportCloseInfo(origin: origin, code: self.code, reason: self.reason),
            sent: Dictionary(sent) { $1 },
            received: Dictionary(received) { $1 },
            datagramsAccepted: self.datagramsAccepted,
            datagramsReceived: self.datagramsReceived
        )
    }
}
