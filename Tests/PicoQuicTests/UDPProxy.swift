// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import PicoQuic

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Passes datagrams between one client and a server on the loopback interface, sees them, and can lose them all.
final class UDPProxy: Sendable {
    private struct State {
        var isCut = false
        var isStopped = false
        var firstBytes: [UInt8] = []
    }

    /// Where the client has to send to.
    let port: UInt16

    private static let withoutWaiting = CInt(MSG_DONTWAIT)

    private let front: CInt
    private let back: CInt
    private let state = Locked(State())

    /// Opens the sockets and starts. Runs until ``stop()``.
    init(to server: UInt16) throws {
        let front = try Self.open()
        let back = try Self.open()
        var address = Self.loopback(0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe Self.with(&address) { unsafe bind(front, $0, size) } == 0
        var count = size
        let isKnown = unsafe Self.with(&address) { unsafe getsockname(front, $0, &count) } == 0
        var target = Self.loopback(server)
        let isConnected = unsafe Self.with(&target) { unsafe connect(back, $0, size) } == 0
        self.front = front
        self.back = back
        self.port = UInt16(bigEndian: address.sin_port)
        guard isBound, isKnown, isConnected else {
            throw QUICError(.systemFailure, "the proxy has no sockets")
        }
        Thread { self.run() }.start()
    }

    /// The first byte of each datagram that the server sent so far.
    var firstBytesFromServer: [UInt8] { self.state.withLock { $0.firstBytes } }

    /// Loses everything from now on, in both directions, or no longer.
    func cut(_ isCut: Bool) {
        self.state.withLock { $0.isCut = isCut }
    }

    /// Ends the thread, which closes the sockets.
    func stop() {
        self.state.withLock { $0.isStopped = true }
    }

    private func run() {
        var client = Self.loopback(0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let room = buffer.count
        while !self.state.withLock({ $0.isStopped }) {
            var waiting = [
                pollfd(fd: self.front, events: Int16(POLLIN), revents: 0),
                pollfd(fd: self.back, events: Int16(POLLIN), revents: 0),
            ]
            _ = unsafe poll(&waiting, 2, 20)
            if waiting[0].revents != 0 {
                var count = size
                let length = unsafe Self.with(&client) { sender in
                    unsafe recvfrom(self.front, &buffer, room, Self.withoutWaiting, sender, &count)
                }
                if length > 0, !self.state.withLock({ $0.isCut }) {
                    _ = unsafe send(self.back, buffer, length, 0)
                }
            }
            if waiting[1].revents != 0 {
                let length = unsafe recv(self.back, &buffer, room, Self.withoutWaiting)
                let isCut = self.state.withLock { state in
                    if length > 0 {
                        state.firstBytes.append(buffer[0])
                    }
                    return state.isCut
                }
                if length > 0, !isCut {
                    _ = unsafe Self.with(&client) { unsafe sendto(self.front, buffer, length, 0, $0, size) }
                }
            }
        }
        close(self.front)
        close(self.back)
    }

    private static func open() throws -> CInt {
        let descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else {
            throw QUICError(.systemFailure, "the proxy has no socket")
        }
        return descriptor
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func with<R>(_ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> R) -> R {
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
        }
    }
}
