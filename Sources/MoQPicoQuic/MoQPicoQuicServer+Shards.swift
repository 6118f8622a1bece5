// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import PicoQuic

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension MoQPicoQuicServer {
    /// How many shards make use of this machine: as many as it has cores, at most ``mostShards``; one with a packet loop that
    /// cannot share its port.
    public static func usualShards(for loop: PacketLoopKind = .standard) -> Int {
        loop.complaintAboutSharing == nil ? min(max(Self.coreCount, 1), Self.mostShards) : 1
    }

    private static var coreCount: Int { sysconf(CInt(_SC_NPROCESSORS_ONLN)) }

    /// Starts the shards, at one port. None answers a client yet: while the sockets become more, the system would send
    /// the packets of one client to different shards.
    func listen(on address: QUICAddress?) async throws(QUICError) -> QUICAddress? {
        guard let address else {
            // The loop's thread is the QUIC endpoint's, which has a socket; nobody is let in by it.
            for shard in self.shards {
                _ = try await shard.start(on: .loopback(port: 0))
            }
            return nil
        }
        guard let group = self.group else {
            return try await self.shards[0].start(on: address)
        }
        let port = try SharedPort(address)
        let shared = port.address
        try await self.start(group.members[0], on: shared)
        port.release()
        for member in group.members.dropFirst() {
            try await self.start(member, on: shared)
        }
        return shared
    }

    /// Starts one of several shards.
    private func start(_ member: PortGroup.Member, on address: QUICAddress) async throws(QUICError) {
        do throws(QUICError) {
            _ = try await self.shards[member.index].start(on: address, as: member)
        } catch {
            throw QUICError(
                error.code,
                "loop \(member.index + 1) of \(member.group.count) at \(address): \(error.message)",
                wireCode: error.wireCode
            )
        }
    }
}
