// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Passes datagrams between clients and a server on the loopback interface: loses, doubles, alters and delays them, cuts the
/// way, and lets clients appear to come from other ports.
final class ChaosProxy: Sendable {
    private struct State {
        var weather: NetworkPlan.Weather
        var cutUntil: ContinuousClock.Instant?
        var rebinds = 0
        var isStopped = false
        var hasEnded = false
        var waiting: CheckedContinuation<Void, Never>?
        var faults = 0
        var passed = 0
    }

    /// A client, and the socket that the server knows it by.
    private struct Flow {
        var client: sockaddr_in
        var back: CInt
    }

    private struct Delayed {
        var due: ContinuousClock.Instant
        var bytes: [UInt8]
        var flow: Int
        var isToServer: Bool
    }

    /// Where clients have to send to.
    let port: UInt16

    private let server: UInt16
    private let seed: UInt64
    private let front: CInt
    private let state: Locked<State>

    /// Opens the way to a server's port and starts.
    init(to server: UInt16, weather: NetworkPlan.Weather, seed: UInt64) {
        self.server = server
        self.seed = seed
        self.front = Loopback.open()
        self.port = Loopback.bindAny(self.front)
        self.state = Locked(State(weather: weather))
        Thread { self.run() }.start()
    }

    /// Changes the weather from now on.
    func setWeather(_ weather: NetworkPlan.Weather) {
        self.state.withLock { state in
            state.weather = weather
            state.cutUntil = nil
        }
    }

    /// Loses everything for a while.
    func cut(milliseconds: Int) {
        self.state.withLock { $0.cutUntil = .now.advanced(by: .milliseconds(milliseconds)) }
    }

    /// Lets every client appear under another port, as when a router has forgotten it.
    func rebind() {
        self.state.withLock { $0.rebinds += 1 }
    }

    /// How many datagrams were passed on, and how many met with something.
    var counts: (passed: Int, faults: Int) { self.state.withLock { ($0.passed, $0.faults) } }

    /// Ends the thread, which closes the sockets.
    func stop() async {
        await withCheckedContinuation { continuation in
            let hasEnded = self.state.withLock { state in
                state.isStopped = true
                if !state.hasEnded { state.waiting = continuation }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func run() {
        var flows: [Flow] = []
        var delayed: [Delayed] = []
        var random = ChaosRandom(seed: self.seed, 0x7072_6f78)
        var rebinds = 0
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let (isStopped, wanted) = self.state.withLock { ($0.isStopped, $0.rebinds) }
            if isStopped { break }
            if wanted != rebinds {
                rebinds = wanted
                for index in flows.indices {
                    close(flows[index].back)
                    flows[index].back = Loopback.open(to: self.server)
                }
            }
            var waiting = [pollfd(fd: self.front, events: Int16(POLLIN), revents: 0)]
            waiting += flows.map { pollfd(fd: $0.back, events: Int16(POLLIN), revents: 0) }
            _ = unsafe poll(&waiting, nfds_t(waiting.count), delayed.isEmpty ? 5 : 1)
            if waiting[0].revents != 0 { self.readFront(&flows, &delayed, &buffer, &random) }
            for index in flows.indices where waiting.count > index + 1 && waiting[index + 1].revents != 0 {
                let count = unsafe recv(flows[index].back, &buffer, buffer.count, 0)
                guard count > 0 else { continue }
                self.treat(Array(buffer[0..<count]), flow: index, isToServer: false, flows, &delayed, &random)
            }
            let now = ContinuousClock.now
            for entry in delayed where entry.due <= now { self.pass(entry, flows) }
            delayed.removeAll { $0.due <= now }
        }
        for flow in flows { close(flow.back) }
        close(self.front)
        let continuation = self.state.withLock { state in
            state.hasEnded = true
            let continuation = state.waiting
            state.waiting = nil
            return continuation
        }
        continuation?.resume()
    }

    private func readFront(
        _ flows: inout [Flow],
        _ delayed: inout [Delayed],
        _ buffer: inout [UInt8],
        _ random: inout ChaosRandom
    ) {
        var sender = Loopback.address(0)
        var size = Loopback.size
        let room = buffer.count
        let count = unsafe Loopback.with(&sender) { address in
            unsafe recvfrom(self.front, &buffer, room, 0, address, &size)
        }
        guard count > 0 else { return }
        var index = flows.firstIndex { $0.client.sin_port == sender.sin_port }
        if index == nil, flows.count < 64 {
            index = flows.count
            flows.append(Flow(client: sender, back: Loopback.open(to: self.server)))
        }
        guard let index else { return }
        self.treat(Array(buffer[0..<count]), flow: index, isToServer: true, flows, &delayed, &random)
    }

    /// Decides what becomes of a datagram.
    private func treat(
        _ bytes: [UInt8],
        flow: Int,
        isToServer: Bool,
        _ flows: [Flow],
        _ delayed: inout [Delayed],
        _ random: inout ChaosRandom
    ) {
        let (weather, isCut) = self.state.withLock { state in
            (state.weather, state.cutUntil.map { $0 > .now } ?? false)
        }
        guard !isCut, !random.chance(perMille: weather.lost) else {
            self.state.withLock { $0.faults += 1 }
            return
        }
        var entry = Delayed(due: .now, bytes: bytes, flow: flow, isToServer: isToServer)
        var faults = 0
        if random.chance(perMille: weather.altered) {
            faults += 1
            entry.bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
        }
        if random.chance(perMille: weather.doubled), delayed.count < 4_096 {
            faults += 1
            var copy = entry
            copy.due = .now.advanced(by: .milliseconds(random.below(weather.delay + 1)))
            delayed.append(copy)
        }
        if random.chance(perMille: weather.delayed), delayed.count < 4_096 {
            faults += 1
            entry.due = .now.advanced(by: .milliseconds(random.below(weather.delay + 1)))
            delayed.append(entry)
        } else {
            self.pass(entry, flows)
        }
        let count = faults
        self.state.withLock { $0.faults += count }
    }

    private func pass(_ entry: Delayed, _ flows: [Flow]) {
        self.state.withLock { $0.passed += 1 }
        if entry.isToServer {
            Loopback.send(entry.bytes, over: flows[entry.flow].back)
        } else {
            var client = flows[entry.flow].client
            _ = unsafe Loopback.with(&client) { address in
                unsafe sendto(self.front, entry.bytes, entry.bytes.count, 0, address, Loopback.size)
            }
        }
    }
}
