// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PicoQuic
import WebTransport

extension WebTransportCloseInfo {
    /// Says in a session's terms how a connection ended.
    init(_ info: QUICCloseInfo) {
        let origin: Origin =
            switch info.kind {
            case .local: .local
            case .peer: .peer
            case .idleTimeout: .transport(.idleTimeout)
            case .handshakeTimeout: .transport(.handshakeTimeout)
            case .statelessReset: .transport(.statelessReset)
            case .noCommonProtocol: .transport(.noCommonProtocol)
            case .certificate: .transport(.certificate)
            case .tls: .transport(.tls)
            case .versionMismatch: .transport(.versionMismatch)
            case .refused: .transport(.refused)
            case .peerTransport: .transport(.peerTransport)
            case .localTransport: .transport(.localTransport)
            case .aborted: .transport(.aborted)
            }
        self.init(origin: origin, code: info.code, reason: info.reason.isEmpty ? Self.words(for: info) : info.reason)
    }

    /// What stands for the reason when none was given: nothing for a close on purpose, the whole story otherwise.
    private static func words(for info: QUICCloseInfo) -> String {
        switch info.kind {
        case .local, .peer: ""
        default: info.description
        }
    }
}
