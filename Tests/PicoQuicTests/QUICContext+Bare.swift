// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

@testable import PicoQuic

extension QUICContext {
    /// A client's context that no driver runs, on a loop of its own that has not begun. The test frees it.
    static func bare() throws -> QUICContext {
        try QUICContext(
            configuration: QUICConfiguration(applicationProtocols: ["x"]),
            loop: PacketLoop(label: "bare"),
            acceptor: nil
        )
    }
}
