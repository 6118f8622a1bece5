// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What carries an endpoint's packets between the network and the QUIC library, on the endpoint's thread.
public enum PacketLoopKind: String, CaseIterable, Sendable {
    /// The library's own loop: one call of the system for each packet, on every system.
    case picoquic
    /// A loop of ours, which receives and sends in batches (recvmmsg, UDP GRO and GSO). Linux only.
    case epoll

    /// Those that this system has; the usual one comes last.
    public static let available: [PacketLoopKind] = {
        #if os(Linux)
        return [.picoquic, .epoll]
        #else
        return [.picoquic]
        #endif
    }()

    /// The environment variable that chooses the loop for endpoints which do not.
    public static let environmentVariable = "MOQINGBIRD_LOOP"

    /// What endpoints have that do not choose: what ``environmentVariable`` says when the process first asks, else
    /// ``epoll`` on Linux and ``picoquic`` elsewhere.
    public static let standard = Self.choice.kind

    /// Why several loops of this kind cannot listen at one port; nil when they can.
    ///
    /// The library's own loop hands packets to the context without asking, so that those of another loop would be answered
    /// with a reset.
    package var complaintAboutSharing: String? {
        guard self != .epoll else {
            return nil
        }
        return "several loops at one port have to be packet loops of the kind '\(PacketLoopKind.epoll.rawValue)', "
            + "not '\(self.rawValue)'"
    }

    /// What is wrong with ``environmentVariable``; nil when it is not set or names a loop.
    static let complaint = Self.choice.complaint

    private static let choice = Self.choose(
        unsafe getenv(Self.environmentVariable).map { text in unsafe String(cString: text) }
    )

    /// What a value of ``environmentVariable`` means.
    static func choose(_ value: String?) -> (kind: PacketLoopKind, complaint: String?) {
        let usual = Self.available.last ?? .picoquic
        guard let value, !value.isEmpty else {
            return (kind: usual, complaint: nil)
        }
        guard let kind = PacketLoopKind(rawValue: value) else {
            let names = Self.available.map(\.rawValue).joined(separator: ", ")
            return (
                kind: usual,
                complaint: "unknown packet loop '\(value)' in \(Self.environmentVariable), there are \(names)"
            )
        }
        return (kind: kind, complaint: nil)
    }
}
