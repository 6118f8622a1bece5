// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import Logging
import PacketLoop
import PicoQuic
import Testing

/// Several endpoints that listen at one port of the loopback interface and echo what they get, and a client endpoint.
struct SharedPortFixture {
    /// How packets get to the endpoint that has their connection.
    enum Way: String, CaseIterable, CustomTestStringConvertible {
        case kernel = "the kernel knows the way"
        case handingOver = "the loops hand packets over"

        var testDescription: String { self.rawValue }
    }

    let group: PortGroup
    let endpoints: [PicoQuicExecutor]
    let client: PicoQuicExecutor
    let certificate: SelfSignedCertificate
    let address: QUICAddress

    /// How many connections each endpoint has accepted.
    var accepted: [Int] { self.tally.counts.withLock { $0 } }

    private let tally: Tally

    private final class Tally: Sendable {
        let counts: Locked<[Int]>

        init(_ count: Int) {
            self.counts = Locked([Int](repeating: 0, count: count))
        }
    }

    init(
        _ count: Int,
        _ way: Way,
        on address: QUICAddress = .loopback(port: 0),
        certificate: SelfSignedCertificate? = nil,
        trusts: SelfSignedCertificate? = nil,
        log: Logger = Logger(label: "test"),
        adjust: (inout QUICConfiguration) -> Void = { _ in }
    ) async throws {
        let certificate = try certificate ?? SelfSignedCertificate()
        var configuration = QUICConfiguration(
            applicationProtocols: ["echo"],
            credentials: .selfSigned(certificate)
        )
        configuration.packetLoop = .epoll
        configuration.statelessResetSeed = [UInt8](1...16)
        configuration.ticketKeys = [[UInt8](repeating: 7, count: 32)]
        configuration.verification = .pinned([(trusts ?? certificate).fingerprint])
        adjust(&configuration)
        let tally = Tally(count)
        let group = PortGroup(count: count, asksKernel: way == .kernel)
        let shared = configuration
        self.endpoints = group.members.map { member in
            PicoQuicExecutor(label: "shard-\(member.index)", configuration: shared, log: log) { _ in
                tally.counts.withLock { $0[member.index] += 1 }
                return EchoDelegate(witness: Witness(), echoes: true)
            }
        }
        let port = try SharedPort(address)
        self.address = port.address
        _ = try await self.endpoints[0].start(on: self.address, member: group.members[0], isAccepting: true)
        port.release()
        for (endpoint, member) in zip(self.endpoints, group.members).dropFirst() {
            _ = try await endpoint.start(on: self.address, member: member, isAccepting: true)
        }
        var clientConfiguration = QUICConfiguration(applicationProtocols: ["echo"])
        clientConfiguration.verification = .pinned([certificate.fingerprint])
        adjust(&clientConfiguration)
        self.client = PicoQuicExecutor(label: "test-client", configuration: clientConfiguration)
        try await self.client.start()
        self.group = group
        self.certificate = certificate
        self.tally = tally
    }

    /// Whether the kernel does what this way wants of it; one that takes no program is no failure.
    func canRun(_ way: Way) async -> Bool {
        guard way == .kernel, self.group.kernelSteering != .active else {
            return true
        }
        print("NOT RUN: the kernel takes no program")
        await self.stop()
        return false
    }

    /// Connects some client to the endpoints; what happens to the connection can be seen in the witness.
    func connect(port: UInt16? = nil) async throws -> Link {
        try await Self.connect(self.client, to: port ?? self.address.port)
    }

    static func connect(_ client: PicoQuicExecutor, to port: UInt16) async throws -> Link {
        let witness = Witness()
        let connection = try await client.connect(to: "127.0.0.1", port: port) { _ in
            EchoDelegate(witness: witness, echoes: false)
        }
        return Link(connection: connection, witness: witness, loop: client.loop)
    }

    /// What all endpoints have done.
    var statistics: QUICEndpointStatistics {
        get async {
            var sum = QUICEndpointStatistics()
            for endpoint in self.endpoints {
                sum.add(await endpoint.statistics())
            }
            return sum
        }
    }

    func stop() async {
        await self.client.stop()
        await self.stopEndpoints()
    }

    func stopEndpoints() async {
        for endpoint in self.endpoints {
            await endpoint.stop()
        }
    }
}
#endif
