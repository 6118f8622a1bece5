// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQPicoQuic
import PicoQuic
import Testing

/// The backends that the suites run over.
enum Backend: String, CaseIterable, CustomTestStringConvertible {
    case rawQUIC = "raw QUIC on loopback"
    case inProcess = "in process"

    var testDescription: String { self.rawValue }

    /// How a server listens over it.
    var listener: MoQListener {
        switch self {
        case .rawQUIC: .rawQUIC(.loopback(port: 0))
        case .inProcess: .inProcess
        }
    }
}
