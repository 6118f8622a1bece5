// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Synchronization

/// Passes UDP packets between one client and a server on this host, and can be told to use another server.
final class Switchboard: Sendable {
    /// Where clients send to.
    let port: UInt16

    private let clientSide: CInt
    private let serverSide: CInt
    private let serverPort: Mutex<UInt16>
    private let isStopped = Atomic<Bool>(false)
    private let ended = DispatchSemaphore(value: 0)

    struct NoSocket: Error {}

    init(serverPort: UInt16) throws {
        guard let clientSide = Self.open(), let serverSide = Self.open() else {
            throw NoSocket()
        }
        self.clientSide = clientSide.socket
        self.serverSide = serverSide.socket
        self.port = clientSide.port
        self.serverPort = Mutex(serverPort)
        Thread.detachNewThread { self.pass() }
    }

    /// Sends what the client sends to another port from now on.
    func connect(to port: UInt16) {
        self.serverPort.withLock { $0 = port }
    }

    /// Ends the passing of packets.
    func stop() {
        self.isStopped.store(true, ordering: .relaxed)
        self.ended.wait()
        close(self.clientSide)
        close(self.serverSide)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func open() -> (socket: CInt, port: UInt16)? {
        #if canImport(Glibc)
        let kind = CInt(SOCK_DGRAM.rawValue)
        #else
        let kind = SOCK_DGRAM
        #endif
        let socket = socket(AF_INET, kind, 0)
        var address = Self.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(socket, pointer, size) == 0 && getsockname(socket, pointer, &size) == 0
            }
        }
        return isBound ? (socket, address.sin_port.bigEndian) : nil
    }

    private func pass() {
        var buffer = [UInt8](repeating: 0, count: 2_048)
        var client = sockaddr_in()
        while !self.isStopped.load(ordering: .relaxed) {
            var waiting = [
                pollfd(fd: self.clientSide, events: Int16(POLLIN), revents: 0),
                pollfd(fd: self.serverSide, events: Int16(POLLIN), revents: 0),
            ]
            _ = unsafe poll(&waiting, 2, 50)
            if waiting[0].revents != 0 {
                let (count, sender) = Self.receive(self.clientSide, &buffer)
                client = sender
                let server = Self.loopback(self.serverPort.withLock { $0 })
                Self.send(self.serverSide, buffer, count, to: server)
            }
            if waiting[1].revents != 0 {
                let (count, _) = Self.receive(self.serverSide, &buffer)
                Self.send(self.clientSide, buffer, count, to: client)
            }
        }
        self.ended.signal()
    }

    private static func receive(_ socket: CInt, _ buffer: inout [UInt8]) -> (count: Int, sender: sockaddr_in) {
        var sender = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let capacity = buffer.count
        let count = unsafe withUnsafeMutablePointer(to: &sender) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe recvfrom(socket, &buffer, capacity, 0, pointer, &size)
            }
        }
        return (count, sender)
    }

    private static func send(_ socket: CInt, _ buffer: [UInt8], _ count: Int, to address: sockaddr_in) {
        guard count > 0 else {
            return
        }
        var address = address
        _ = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe sendto(socket, buffer, count, 0, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
