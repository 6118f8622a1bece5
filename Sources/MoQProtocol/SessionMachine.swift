// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The life of a session: setup, GOAWAY in both directions, close (draft-18 §3.3 and §10.4).
///
/// ```
///   idle ── start() ──► settingUp ── receivedSetup() ──► established ─┐
///    │                      │ setupTimedOut()                │        │ sentGoaway / receivedGoaway
///    └──────────────────────┴───────── closed() ─────────────┴──► closed
/// ```
///
/// Transitions return what the caller has to do, after the transition.
public struct SessionMachine: ~Copyable {
    /// Where the session is.
    public enum State: Hashable, Sendable {
        /// Nothing was sent.
        case idle
        /// SETUP of one side or of none has been seen.
        case settingUp
        /// Both sides have sent SETUP.
        case established
        /// The session is over.
        case closed
    }

    /// What to do when the session starts.
    public enum StartAction: Hashable, Sendable {
        /// Send SETUP at once and wait for the peer's.
        case sendSetup
        /// Wait for the client's SETUP (the server of a single control stream).
        case awaitSetup
        /// The session was started before, or is closed.
        case nothing
    }

    /// What to do when the peer's SETUP arrived.
    public struct SetupAction: Hashable, Sendable {
        /// Whether our SETUP goes out now.
        public var sendSetup: Bool
    }

    /// What to do with a request of the peer.
    public enum RequestAction: Hashable, Sendable {
        /// Treat it.
        case handle
        /// Refuse it with GOING_AWAY: it came after our GOAWAY.
        case refuse
    }

    /// Where the session is.
    public private(set) var state: State
    /// Whether we sent GOAWAY.
    public private(set) var hasSentGoaway = false
    /// Whether the peer sent GOAWAY: no new requests of ours.
    public private(set) var hasReceivedGoaway = false

    private let role: Role
    private let shape: ControlShape
    private let version: UInt64?
    private let targets: SetupTargets

    /// Makes a machine for one side of a session.
    ///
    /// `version` is the number that stands for the draft where the setup negotiates it; nil where it does not. `targets` is
    /// what a client may name.
    public init(
        role: Role,
        shape: ControlShape,
        version: UInt64? = nil,
        targets: SetupTargets = SetupTargets()
    ) {
        self.state = .idle
        self.role = role
        self.shape = shape
        self.version = version
        self.targets = targets
    }

    /// The transport is ready.
    public mutating func start() -> StartAction {
        guard self.state == .idle else {
            return .nothing
        }
        self.state = .settingUp
        return self.role == .server && self.shape == .singleBidirectional ? .awaitSetup : .sendSetup
    }

    /// The peer's SETUP arrived.
    ///
    /// - Throws: PROTOCOL_VIOLATION when it is the second one; INVALID_PATH and INVALID_AUTHORITY for what may not
    ///   be named (``SetupTargets``); VERSION_NEGOTIATION_FAILED when a client does not offer our version, and
    ///   when a server selects another one (draft-14 §9.3.1).
    public mutating func receivedSetup(_ options: SetupOptions) throws(ProtocolViolation) -> SetupAction {
        switch self.state {
        case .idle, .settingUp:
            try self.targets.check(options, from: self.role.peer)
            try self.checkVersion(options.versions)
            self.state = .established
            return SetupAction(sendSetup: self.role == .server && self.shape == .singleBidirectional)
        case .established:
            throw .protocolViolation("second SETUP")
        case .closed:
            return SetupAction(sendSetup: false)
        }
    }

    private func checkVersion(_ versions: [UInt64]) throws(ProtocolViolation) {
        guard let version = self.version, !versions.contains(version) else {
            return
        }
        throw ProtocolViolation(
            .versionNegotiationFailed,
            self.role == .server
                ? "our version is not among those offered" : "the server selected a version that was not offered"
        )
    }

    /// The setup timer fired. Returns the violation to close with when the setup is not complete.
    public mutating func setupTimedOut() -> ProtocolViolation? {
        switch self.state {
        case .idle, .settingUp:
            return ProtocolViolation(.controlMessageTimeout, "no SETUP in time")
        case .established, .closed:
            return nil
        }
    }

    /// A request of the peer arrived.
    public func receivedRequest() -> RequestAction {
        self.hasSentGoaway ? .refuse : .handle
    }

    /// We want to send GOAWAY. Returns whether it may go out: once, in an established session.
    public mutating func sendGoaway() -> Bool {
        guard self.state == .established, !self.hasSentGoaway else {
            return false
        }
        self.hasSentGoaway = true
        return true
    }

    /// GOAWAY arrived on the control stream.
    ///
    /// - Throws: PROTOCOL_VIOLATION for a second one and for a URI from a client; INVALID_REQUEST_ID when the request id
    ///   in it is not one of ours by its parity (draft-18 §10.4).
    public mutating func receivedGoaway(_ goaway: Goaway) throws(ProtocolViolation) {
        guard !self.hasReceivedGoaway else {
            throw .protocolViolation("second GOAWAY")
        }
        guard self.role == .client || goaway.newSessionURI.isEmpty else {
            throw .protocolViolation("GOAWAY of a client with a URI")
        }
        if let id = goaway.requestID, id.issuer != self.role {
            throw ProtocolViolation(.invalidRequestID, "GOAWAY names request id \(id), which its receiver never uses")
        }
        self.hasReceivedGoaway = true
    }

    /// The session closes. Returns whether it was open until now.
    public mutating func closed() -> Bool {
        guard self.state != .closed else {
            return false
        }
        self.state = .closed
        return true
    }
}
