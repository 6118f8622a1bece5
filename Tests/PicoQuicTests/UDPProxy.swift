// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

// Where the compiler believes `sockaddr_in` to be from, when it looks at certain other files first.
import CPicoquic
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

/// Passes datagrams between one client and a server on the loopback interface, sees them, can lose or delay them, and can move to
/// another port like a router that forgot where they belong.
final class UDPProxy: Sendable {
    private struct State {
        var isCut = false
        var isHeldBack = false
        /// What the server sent last while it was held back, unless the client has sent something since.
        var late: [UInt8]?
        var isStopped = false
        var firstBytes: [UInt8] = []
        /// How many more datagrams of each side pass; nil: all.
        var fromClient: Int?
        var fromServer: Int?
        var back: CInt
        var port: UInt16
        var client = UDPProxy.loopback(0)
        /// The sockets of former ports, closed at the end: the thread may still wait for one.
        var retired: [CInt] = []

        /// Whether a datagram passes.
        mutating func takes(_ side: WritableKeyPath<State, Int?>) -> Bool {
            guard !self.isCut else {
                return false
            }
            guard let left = self[keyPath: side] else {
                return true
            }
            self[keyPath: side] = max(0, left - 1)
            return left > 0
        }
    }

    /// Where the client has to send to.
    let port: UInt16

    private static let addressSize = socklen_t(MemoryLayout<sockaddr_in>.size)
    private static let withoutWaiting = CInt(MSG_DONTWAIT)

    private let front: CInt
    private let server: UInt16
    private let state: Locked<State>

    /// Opens the sockets and starts. Runs until ``stop()``.
    init(to server: UInt16) throws {
        let front = try Self.open()
        let back = try Self.open(connectedTo: server)
        var address = Self.loopback(0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe Self.with(&address) { unsafe bind(front, $0, size) } == 0
        var count = size
        let isKnown = unsafe Self.with(&address) { unsafe getsockname(front, $0, &count) } == 0
        self.front = front
        self.server = server
        self.state = Locked(State(back: back.socket, port: back.port))
        self.port = UInt16(bigEndian: address.sin_port)
        guard isBound, isKnown else {
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

    /// Loses what the server sends from now on, but for the last datagram.
    func holdBack() {
        self.state.withLock { $0.isHeldBack = true }
    }

    /// Passes the datagram that was held back, and from now on all; returns false, and passes nothing, if there is none, or if
    /// the client has sent something since.
    func release() -> Bool {
        self.state.withLock { state in
            guard let late = state.late else {
                return false
            }
            self.forward(late[...], to: &state.client)
            state.isHeldBack = false
            state.late = nil
            return true
        }
    }

    /// Lets so many more datagrams of each side pass and loses the others.
    func pass(fromClient: Int? = nil, fromServer: Int? = nil) {
        self.state.withLock { state in
            state.fromClient = fromClient
            state.fromServer = fromServer
        }
    }

    /// The port that the server sees.
    var sourcePort: UInt16 { self.state.withLock { $0.port } }

    /// Goes on from another port. What the server still sends to the old one is lost.
    func move() throws {
        let next = try Self.open(connectedTo: self.server)
        self.state.withLock { state in
            state.retired.append(state.back)
            state.back = next.socket
            state.port = next.port
        }
    }

    /// Ends the thread, which closes the sockets.
    func stop() {
        self.state.withLock { $0.isStopped = true }
    }

    private func run() {
        var client = Self.loopback(0)
        let size = Self.addressSize
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let room = buffer.count
        while !self.state.withLock({ $0.isStopped }) {
            var back = self.state.withLock { $0.back }
            var waiting = [
                pollfd(fd: self.front, events: Int16(POLLIN), revents: 0),
                pollfd(fd: back, events: Int16(POLLIN), revents: 0),
            ]
            _ = unsafe poll(&waiting, 2, 20)
            if waiting[0].revents != 0 {
                var count = size
                let length = unsafe Self.with(&client) { sender in
                    unsafe recvfrom(self.front, &buffer, room, Self.withoutWaiting, sender, &count)
                }
                let sender = client
                if length > 0, self.state.withLock({ $0.takes(\.fromClient) }) {
                    back = self.state.withLock { state in
                        state.client = sender
                        state.late = nil
                        return state.back
                    }
                    _ = unsafe send(back, buffer, length, 0)
                }
            }
            if waiting[1].revents != 0 {
                let length = unsafe recv(back, &buffer, room, Self.withoutWaiting)
                let bytes = buffer[..<max(0, length)]
                self.state.withLock { state in
                    guard length > 0, state.back == back else {
                        return
                    }
                    state.firstBytes.append(bytes[0])
                    guard state.takes(\.fromServer) else {
                        return
                    }
                    if state.isHeldBack {
                        state.late = Array(bytes)
                    } else {
                        self.forward(bytes, to: &state.client)
                    }
                }
            }
        }
        close(self.front)
        for socket in self.state.withLock({ $0.retired + [$0.back] }) {
            close(socket)
        }
    }

    private func forward(_ datagram: ArraySlice<UInt8>, to client: inout sockaddr_in) {
        unsafe datagram.withUnsafeBytes { bytes in
            _ = unsafe Self.with(&client) { client in
                unsafe sendto(self.front, bytes.baseAddress, bytes.count, 0, client, Self.addressSize)
            }
        }
    }

    private static func open(connectedTo server: UInt16) throws -> (socket: CInt, port: UInt16) {
        let descriptor = try Self.open()
        var address = Self.loopback(server)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = unsafe Self.with(&address) { unsafe connect(descriptor, $0, size) } == 0
        let isKnown = unsafe Self.with(&address) { unsafe getsockname(descriptor, $0, &size) } == 0
        guard isConnected, isKnown else {
            close(descriptor)
            throw QUICError(.systemFailure, "the proxy has no way to the server")
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
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
