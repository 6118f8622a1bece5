// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquic
import CPicoquicShims

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// An address in the form that the socket calls take.
struct SocketAddress: Sendable {
    private var storage: sockaddr_storage

    /// Reads a numeric address; nil when `host` is none.
    init?(host: String, port: UInt16) {
        var storage = sockaddr_storage()
        guard unsafe cpq_parse_address(host, port, &storage) == 0 else {
            return nil
        }
        self.storage = storage
    }

    /// Copies an address; nil for a null pointer or a family that is not IP.
    init?(copying address: UnsafePointer<sockaddr>?) {
        guard let address = unsafe address else {
            return nil
        }
        var storage = sockaddr_storage()
        switch CInt(unsafe address.pointee.sa_family) {
        case AF_INET:
            unsafe withUnsafeMutablePointer(to: &storage) { target in
                unsafe UnsafeMutableRawPointer(target).copyMemory(
                    from: UnsafeRawPointer(address),
                    byteCount: MemoryLayout<sockaddr_in>.size
                )
            }
        case AF_INET6:
            unsafe withUnsafeMutablePointer(to: &storage) { target in
                unsafe UnsafeMutableRawPointer(target).copyMemory(
                    from: UnsafeRawPointer(address),
                    byteCount: MemoryLayout<sockaddr_in6>.size
                )
            }
        default:
            return nil
        }
        self.storage = storage
    }

    /// The raw structure.
    var raw: sockaddr_storage { self.storage }

    /// The same address with another port.
    func with(port: UInt16) -> SocketAddress {
        self.address.flatMap { SocketAddress(host: $0.host, port: port) } ?? self
    }

    /// The address family.
    var family: CInt { CInt(self.storage.ss_family) }

    /// Whether it stands for all addresses of its family.
    var isUnspecified: Bool { ["0.0.0.0", "::"].contains(self.address?.host) }

    /// Lends the address to a socket call.
    func withPointer<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
        var copy = self.storage
        return unsafe withUnsafePointer(to: &copy) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
        }
    }

    /// The address as text; nil when it is not IP.
    var address: QUICAddress? {
        var text = [CChar](repeating: 0, count: 128)
        var port: UInt16 = 0
        let count = text.count
        let outcome = unsafe self.withPointer { pointer in
            unsafe text.withUnsafeMutableBufferPointer { buffer in
                unsafe cpq_format_address(pointer, buffer.baseAddress, count, &port)
            }
        }
        guard outcome == 0 else {
            return nil
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return QUICAddress(uncheckedHost: host, port: port)
    }

    /// Whether a socket can be bound to the address: 0, or the error number.
    func probeBind() -> CInt {
        unsafe self.withPointer { unsafe cpq_probe_bind($0) }
    }

    /// Takes the port for sockets of this process to share: the descriptor and the port, or the error number.
    func reservePort() -> Result<(descriptor: CInt, port: UInt16), SystemError> {
        var port: UInt16 = 0
        let descriptor = unsafe self.withPointer { unsafe cpq_reserve_port($0, &port) }
        return descriptor < 0 ? .failure(SystemError(number: errno)) : .success((descriptor, port))
    }

    /// Why the system refused something.
    struct SystemError: Error {
        var number: CInt
    }

    /// Whether the system knows a way to the address: 0, or the error number.
    func probeRoute() -> CInt {
        unsafe self.withPointer { unsafe cpq_probe_route($0) }
    }
}
