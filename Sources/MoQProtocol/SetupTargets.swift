// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Which paths and authorities the client of a session may name in its SETUP (draft-18 §10.3.1, "AUTHORITY" and "PATH").
public struct SetupTargets: Hashable, Sendable {
    /// The paths, each with its query, that this server has; nil when it has any.
    public var paths: Set<String>?
    /// The authorities that this server has; nil when it has any.
    public var authorities: Set<String>?
    /// Whether the transport carries the URI, as WebTransport over HTTP/3 does. Then SETUP must say nothing of it.
    public var areOfTransport: Bool

    /// Makes rules; the defaults allow everything that a client may say.
    public init(paths: Set<String>? = nil, authorities: Set<String>? = nil, areOfTransport: Bool = false) {
        self.paths = paths
        self.authorities = authorities
        self.areOfTransport = areOfTransport
    }

    /// Looks at what a peer of the given role says.
    /// - Throws: INVALID_PATH or INVALID_AUTHORITY when that may not be said by it, over this transport or to this server.
    func check(_ options: SetupOptions, from peer: Role) throws(ProtocolViolation) {
        if let path = options.path {
            let fault = self.fault(of: "PATH", path, from: peer, among: self.paths)
            if let fault { throw ProtocolViolation(.invalidPath, fault) }
        }
        if let authority = options.authority {
            let fault = self.fault(of: "AUTHORITY", authority, from: peer, among: self.authorities)
            if let fault { throw ProtocolViolation(.invalidAuthority, fault) }
        }
    }

    private func fault(of option: String, _ value: String, from peer: Role, among served: Set<String>?) -> String? {
        if peer == .server {
            "\(option) in the SETUP of a server"
        } else if self.areOfTransport {
            "\(option) in a SETUP over a transport that carries the URI"
        } else if served?.contains(value) == false {
            "\(option) of the SETUP names what is not here"
        } else {
            nil
        }
    }
}
