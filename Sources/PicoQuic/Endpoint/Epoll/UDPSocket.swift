// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import CPicoquicShims
import Glibc

/// A bound socket of an endpoint. It is closed with its last reference.
final class UDPSocket {
    /// How often other ports are tried when the system may choose one and it is not free for both families.
    private static let attempts = 8

    let descriptor: CInt
    /// AF_INET or AF_INET6.
    let family: CInt
    let port: UInt16
    /// Where it is bound, for the system.
    let bound: sockaddr_storage
    /// Whether the kernel is to choose the address to send from: the socket has only one, or the kernel does not tell which
    /// one of several a packet came to.
    let leavesAddressToKernel: Bool
    /// What the system has for this socket, of ``SystemFeatures/ofSockets``.
    let features: SystemFeatures

    /// Whether the kernel cuts large messages into datagrams.
    var cutsMessages: Bool { self.features.contains(.cuttingMessages) }

    private init(
        _ address: SocketAddress,
        plan: SocketPlan,
        ecn: UInt8,
        features wanted: SystemFeatures
    ) throws(QUICError) {
        var features: UInt32 = 0
        let isShared: CInt = plan.isPortShared ? 1 : 0
        let descriptor = unsafe address.withPointer { pointer in
            unsafe cls_udp_open(pointer, isShared, plan.bufferSize, ecn, wanted.rawValue, &features)
        }
        if descriptor < 0 {
            try SocketPlan.check(-descriptor, plan.address)
        }
        var bound = sockaddr_storage()
        let outcome = unsafe cls_udp_address(descriptor, &bound)
        let actual = unsafe withUnsafeBytes(of: &bound) { bytes in
            unsafe SocketAddress(copying: bytes.assumingMemoryBound(to: sockaddr.self).baseAddress)?.address
        }
        guard outcome == 0, let actual else {
            _ = close(descriptor)
            throw QUICError(.systemFailure, "the system does not tell the port of a socket on \(plan.address)")
        }
        self.descriptor = descriptor
        self.family = address.family
        self.port = actual.port
        self.bound = bound
        self.features = SystemFeatures(rawValue: features)
        self.leavesAddressToKernel = !address.isUnspecified || features & UInt32(CLS_TELLS_DESTINATION) == 0
    }

    deinit {
        _ = close(self.descriptor)
    }

    /// Has the kernel spread packets over the sockets that share this one's address: see ``PortGroup``.
    /// - Returns: 0, or the error number.
    func steer(among count: Int) -> CInt {
        -cls_udp_steer(self.descriptor, UInt32(count))
    }

    /// Opens the sockets of a plan, all with one port, with those `features` that the system has.
    /// - Throws: `addressInUse` and its like, naming the address.
    static func open(
        _ plan: SocketPlan,
        ecn: UInt8,
        features: SystemFeatures = .all
    ) throws(QUICError) -> [UDPSocket] {
        var attempt = 1
        while true {
            do throws(QUICError) {
                var sockets: [UDPSocket] = []
                for address in plan.addresses {
                    let address = sockets.first.map { address.with(port: $0.port) } ?? address
                    sockets.append(try UDPSocket(address, plan: plan, ecn: ecn, features: features))
                }
                return sockets
            } catch {
                guard plan.address.port == 0, error.code == .addressInUse, attempt < Self.attempts else {
                    throw error
                }
                attempt += 1
            }
        }
    }
}
#endif
