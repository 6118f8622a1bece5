// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CPicoquic
import Logging
import PacketLoop
import Testing

@testable import PicoQuic

/// A client whose datagrams leave through a function of the test's, and a server that returns what it receives.
struct TransmitFixture {
    let link: Link
    private let server: Fixture
    private let driver: EpollDriver

    init(log: Logger = Logger(label: "test"), transmit: @escaping DatagramSender.Transmit) async throws {
        let server = try await Fixture()
        var configuration = QUICConfiguration(applicationProtocols: ["echo"])
        configuration.verification = .pinned([server.certificate.fingerprint])
        let loop = PacketLoop(label: "transmit", clock: { picoquic_current_time() })
        let driver = EpollDriver(
            loop: loop,
            context: try QUICContext(configuration: configuration, loop: loop, log: log, acceptor: nil),
            plan: try SocketPlan(address: .loopback(port: 0), bufferSize: 1 << 20)
        )
        unsafe driver.transmit = transmit
        _ = try await driver.start()
        let witness = Witness()
        let address = try #require(SocketAddress(host: "127.0.0.1", port: server.address.port))
        let connection = try await loop.run {
            let connection = try driver.context.connect(
                to: address,
                name: "127.0.0.1",
                protocols: ["echo"],
                observer: { _ in }
            )
            connection.delegate = EchoDelegate(witness: witness, echoes: false)
            return LoopBound(connection, on: loop)
        }
        await witness.wait { $0.isReady || !$0.closes.isEmpty }
        self.link = Link(connection: connection, witness: witness, loop: loop)
        self.server = server
        self.driver = driver
    }

    func stop() async {
        let driver = self.driver
        driver.loop.post {
            driver.context.closeAll(code: 0, reason: "")
            driver.end()
        }
        await driver.waitForEnd()
        driver.join()
        await self.server.stop()
    }
}
#endif
