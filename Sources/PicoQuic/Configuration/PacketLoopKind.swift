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

    /// The environment variable that chooses the loop for endpoints which do not.
    public static let environmentVariable = "MOQINGBIRD_LOOP"

    /// What endpoints have that do not choose: what ``environmentVariable`` says when the process first asks, else
    /// ``picoquic``.
    public static let standard: PacketLoopKind = {
        guard let text = unsafe getenv(Self.environmentVariable) else {
            return .picoquic
        }
        return unsafe PacketLoopKind(rawValue: String(cString: text)) ?? .picoquic
    }()
}
