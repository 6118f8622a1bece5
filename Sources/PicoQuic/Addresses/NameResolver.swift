// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Finds the addresses of hosts, away from the loop: the system's resolver blocks.
enum NameResolver {
    /// So many addresses of one host are tried at most.
    private static let mostAddresses = 8

    /// The addresses of a host that this host has a way to, in the system's order of preference.
    ///
    /// - Parameter families: those that there are sockets of.
    /// - Throws: `nameNotResolved`, or `unreachable` when no address can be reached.
    static func resolve(host: String, port: UInt16, families: [CInt]) async throws(QUICError) -> [SocketAddress] {
        let found: Result<[SocketAddress], QUICError>
        if let address = SocketAddress(host: host, port: port) {
            found = .success([address])
        } else {
            found = await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: Self.lookUp(host: host, port: port))
                }
            }
        }
        let addresses = try found.get().filter { families.contains($0.family) }
        guard !addresses.isEmpty else {
            let has = families.contains(AF_INET6) ? "IPv6" : "IPv4"
            throw QUICError(.unreachable, "cannot reach \(host): this endpoint has a socket for \(has) alone")
        }
        let reachable = addresses.filter { $0.probeRoute() == 0 }
        guard !reachable.isEmpty else {
            let reason = systemErrorText(addresses[0].probeRoute())
            throw QUICError(.unreachable, "cannot reach \(host): \(reason)")
        }
        return Array(reachable.prefix(Self.mostAddresses))
    }

    private static func lookUp(host: String, port: UInt16) -> Result<[SocketAddress], QUICError> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = CInt(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let outcome = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard outcome == 0 else {
            let text = unsafe gai_strerror(outcome).map { unsafe String(cString: $0) } ?? "error \(outcome)"
            return .failure(QUICError(.nameNotResolved, "cannot find host '\(host)': \(text)"))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe SocketAddress(copying: UnsafePointer(entry.pointee.ai_addr)) {
                addresses.append(address)
            }
            unsafe next = unsafe entry.pointee.ai_next
        }
        return .success(addresses)
    }
}
