// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Breaks the sockets of this process that are bound to a port, as a failing network would: every receive on them fails
/// from now on. Their descriptors stay taken, so that whoever opened them closes only what is theirs.
///
/// A thread that sleeps on such a socket notices when it looks again.
/// - Returns: how many were broken.
public func breakSockets(boundTo port: UInt16) -> Int {
    let nothing = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard nothing >= 0 else {
        return 0
    }
    defer { close(nothing) }
    return sockets(boundTo: port).count { dup2(nothing, $0) >= 0 }
}

/// The descriptors of this process's sockets that are bound to a port.
public func sockets(boundTo port: UInt16) -> [CInt] {
    (CInt(3)..<1_024).filter { boundPort(of: $0) == port }
}

/// A UDP port of the loopback interface that nobody has at the moment.
/// - Throws: ``FlightRecorder/Failure`` when there is none.
public func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
    guard descriptor >= 0 else {
        throw FlightRecorder.Failure()
    }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            unsafe bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isBound, let port = boundPort(of: descriptor) else {
        throw FlightRecorder.Failure()
    }
    return port
}

/// The port that an internet socket is bound to; nil for anything else.
private func boundPort(of descriptor: CInt) -> UInt16? {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let outcome = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            unsafe getsockname(descriptor, pointer, &length)
        }
    }
    let family = CInt(address.sin6_family)
    guard outcome == 0, family == AF_INET || family == AF_INET6 else {
        return nil
    }
    // Both families have the port in the same place.
    return UInt16(bigEndian: address.sin6_port)
}
