// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Passes datagrams between one client and a server on the loopback interface, keeps what the client sent, and can hold back
/// what the server answers.
public final class FlightRecorder: Sendable {
    /// There is no socket.
    public struct Failure: Error {}

    private struct State {
        var isStopped = false
        var holdsAnswers = false
        var heldAnswers: [[UInt8]] = []
        var flights: [[UInt8]] = []
        var sawRetry = false
        var replaying: [CInt] = []
    }

    /// Where the client has to send to.
    public let port: UInt16

    private static let withoutWaiting = CInt(MSG_DONTWAIT)

    private let server: UInt16
    private let front: CInt
    private let back: CInt
    private let state: Locked<State>

    /// Opens the sockets and starts. Runs until ``stop()``.
    public init(to server: UInt16, holdsAnswers: Bool = false) throws {
        var state = State()
        state.holdsAnswers = holdsAnswers
        self.state = Locked(state)
        self.server = server
        self.front = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
        self.back = try Self.open(to: server)
        var address = Self.loopback(0)
        let front = self.front
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe Self.with(&address) { unsafe bind(front, $0, size) } == 0
        let isKnown = unsafe Self.with(&address) { unsafe getsockname(front, $0, &size) } == 0
        self.port = UInt16(bigEndian: address.sin_port)
        guard isBound, isKnown else { throw Failure() }
        Thread { self.run() }.start()
    }

    /// The datagrams that the client sent so far.
    public var flights: [[UInt8]] { self.state.withLock { $0.flights } }

    /// Whether the server sent a Retry: a long header of version 1 with that type (RFC 9000 section 17.2.5).
    public var sawRetry: Bool { self.state.withLock { $0.sawRetry } }

    /// How many answers of the server are held back.
    public var heldAnswers: Int { self.state.withLock { $0.heldAnswers.count } }

    /// Holds back what the server answers from now on.
    public func holdAnswers() {
        self.state.withLock { $0.holdsAnswers = true }
    }

    /// Passes the answers on that were held back, and those to come.
    public func releaseAnswers() {
        self.state.withLock { $0.holdsAnswers = false }
    }

    /// Sends datagrams to the server once more, as the network may do.
    public func repeatFlights(_ datagrams: [[UInt8]]) {
        for datagram in datagrams {
            _ = unsafe send(self.back, datagram, datagram.count, 0)
        }
    }

    /// Sends datagrams to the server from a new address, where nobody answers.
    public func replay(_ datagrams: [[UInt8]]) throws {
        let other = try Self.open(to: self.server)
        for datagram in datagrams {
            _ = unsafe send(other, datagram, datagram.count, 0)
        }
        // Open until the end: a port that nobody has any more is an answer too.
        self.state.withLock { $0.replaying.append(other) }
    }

    /// Ends the thread, which closes the sockets.
    public func stop() {
        self.state.withLock { $0.isStopped = true }
    }

    private func run() {
        var client = Self.loopback(0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let room = buffer.count
        while !self.state.withLock({ $0.isStopped }) {
            var waiting = [
                pollfd(fd: self.front, events: Int16(POLLIN), revents: 0),
                pollfd(fd: self.back, events: Int16(POLLIN), revents: 0),
            ]
            _ = unsafe poll(&waiting, 2, 5)
            if waiting[0].revents != 0 {
                var count = size
                let length = unsafe Self.with(&client) { sender in
                    unsafe recvfrom(self.front, &buffer, room, Self.withoutWaiting, sender, &count)
                }
                if length > 0 {
                    let datagram = Array(buffer[..<length])
                    self.state.withLock { $0.flights.append(datagram) }
                    _ = unsafe send(self.back, datagram, length, 0)
                }
            }
            if waiting[1].revents != 0 {
                let length = unsafe recv(self.back, &buffer, room, Self.withoutWaiting)
                if length > 0 {
                    let datagram = Array(buffer[..<length])
                    self.state.withLock { state in
                        state.heldAnswers.append(datagram)
                        state.sawRetry = state.sawRetry || datagram[0] & 0xf0 == 0xf0
                    }
                }
            }
            let answers = self.state.withLock { state in
                guard !state.holdsAnswers else { return [[UInt8]]() }
                let answers = state.heldAnswers
                state.heldAnswers = []
                return answers
            }
            for answer in answers {
                _ = unsafe Self.with(&client) { unsafe sendto(self.front, answer, answer.count, 0, $0, size) }
            }
        }
        for descriptor in self.state.withLock({ $0.replaying }) + [self.front, self.back] {
            close(descriptor)
        }
    }

    private static func open(to server: UInt16) throws -> CInt {
        let descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
        var target = Self.loopback(server)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = unsafe Self.with(&target) { unsafe connect(descriptor, $0, size) } == 0
        guard descriptor >= 0, isConnected else { throw Failure() }
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
