// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Connects to the first of several addresses that answers. (loop)
///
/// Addresses are tried in order, the next one as soon as the one before has failed or kept silent for a moment; what
/// answers first wins, and the others are given up. An answer that is a refusal ends the search too: it says more than
/// silence elsewhere. An address whose host says that nobody has the port has failed.
final class QUICConnector {
    /// How long an address may keep silent before the next one is tried beside it.
    private static let patience: Duration = .milliseconds(250)

    private let context: QUICContext
    private let target: String
    private let name: String
    private let protocols: [String]
    private let timeout: Duration
    private var remaining: [SocketAddress]
    /// Makes the delegate of a connection that can send before its handshake is complete.
    private let makeDelegate: (QUICConnection) -> any QUICConnectionDelegate
    /// The server in the ticket store.
    private let server: String?
    /// What was kept of it, for the first attempt.
    private var visit = QUICTicketStore.Visit()
    /// Whether an attempt has a delegate already, which may have sent something: then there is no other.
    private var isCommitted = false
    private var attempts: [QUICConnection] = []
    private var knockers: [PortKnocker] = []
    private var deadline: LoopTimer?
    private var nextAttempt: LoopTimer?
    private var completion: ((Result<QUICConnection, QUICError>) -> Void)?

    init(
        context: QUICContext,
        target: String,
        name: String,
        protocols: [String],
        addresses: [SocketAddress],
        timeout: Duration,
        makeDelegate: @escaping (QUICConnection) -> any QUICConnectionDelegate,
        completion: @escaping (Result<QUICConnection, QUICError>) -> Void
    ) {
        self.context = context
        self.target = target
        self.name = name
        self.protocols = protocols
        self.remaining = addresses
        self.timeout = timeout
        self.makeDelegate = makeDelegate
        self.completion = completion
        self.server = context.configuration.ticketStore == nil ? nil : context.configuration.storeKey(target, name)
    }

    func start() {
        self.deadline = self.context.loop.schedule(after: self.timeout) {
            self.fail(self.timeoutError())
        }
        self.prepareReturn()
        self.tryNext()
    }

    /// Takes what was kept of the server. A ticket is for the address that gave it, which is tried first then.
    private func prepareReturn() {
        guard let server = self.server, let store = self.context.configuration.ticketStore else {
            return
        }
        self.visit = store.take(server, protocols: self.protocols)
        guard let ticket = self.visit.ticket else {
            return
        }
        if let index = self.remaining.firstIndex(where: { $0.address?.host == ticket.address }) {
            self.remaining.swapAt(0, index)
        } else {
            self.visit.ticket = nil
        }
    }

    /// Gives up.
    func cancel() {
        self.fail(QUICError(.stopped, "connecting to \(self.target) was cancelled"))
    }

    private func tryNext() {
        self.nextAttempt?.cancel()
        self.nextAttempt = nil
        guard self.completion != nil, !self.isCommitted, !self.remaining.isEmpty else {
            return
        }
        let address = self.remaining.removeFirst()
        let index = self.attempts.count
        let visit = self.visit
        self.visit = QUICTicketStore.Visit()
        do throws(QUICError) {
            let connection = try self.context.connect(
                to: address,
                name: self.name,
                protocols: self.protocols,
                return: self.server,
                visit: visit
            ) { outcome in
                if visit.ticket != nil, self.retryPlainly(address, after: outcome) {
                    return
                }
                self.finished(index, outcome)
            }
            self.attempts.append(connection)
            self.knockers.append(
                PortKnocker(
                    address: address,
                    loop: self.context.loop,
                    isAnswered: { connection.hasHeardFromPeer || !connection.isOpen },
                    onRefusal: { [weak self] in self?.nobodyListens(connection) }
                )
            )
            if visit.ticket != nil, self.context.configuration.allowsEarlyData, connection.canSendEarly {
                self.isCommitted = true
                connection.way?.isEarly = true
                connection.delegate = self.makeDelegate(connection)
            }
        } catch {
            self.fail(error)
            return
        }
        if !self.remaining.isEmpty, !self.isCommitted {
            self.nextAttempt = self.context.loop.schedule(after: Self.patience) { self.tryNext() }
        }
    }

    /// Tries an address once more without its ticket, when the server speaks something else now. Not after something was
    /// sent.
    private func retryPlainly(_ address: SocketAddress, after outcome: Result<Void, QUICHandshakeFailure>) -> Bool {
        guard case .failure(let failure) = outcome, failure.info.kind == .noCommonProtocol, !self.isCommitted,
            self.completion != nil
        else {
            return false
        }
        self.remaining.insert(address, at: 0)
        self.tryNext()
        return true
    }

    private func finished(_ index: Int, _ outcome: Result<Void, QUICHandshakeFailure>) {
        guard index < self.attempts.count else {
            return
        }
        let connection = self.attempts[index]
        switch outcome {
        case .success:
            self.settle(.success(connection), keeping: connection)
        case .failure(let failure):
            if failure.peerAnswered || self.isLast(connection) {
                self.fail(self.error(for: failure))
            } else {
                self.tryNext()
            }
        }
    }

    /// The host of an address says that nobody has the port there.
    private func nobodyListens(_ connection: QUICConnection) {
        connection.handshakeObserver = nil
        let isLast = self.isLast(connection)
        connection.close(code: 0)
        if isLast {
            self.fail(QUICError(.unreachable, "cannot reach \(self.target): nobody listens on that UDP port"))
        } else {
            self.tryNext()
        }
    }

    /// Whether no other attempt is under way or to come.
    private func isLast(_ connection: QUICConnection) -> Bool {
        (self.remaining.isEmpty || self.isCommitted) && !self.attempts.contains { $0 !== connection && $0.isOpen }
    }

    private func fail(_ error: QUICError) {
        self.settle(.failure(error), keeping: nil)
    }

    private func settle(_ outcome: Result<QUICConnection, QUICError>, keeping winner: QUICConnection?) {
        guard let completion = self.completion else {
            return
        }
        self.completion = nil
        self.deadline?.cancel()
        self.nextAttempt?.cancel()
        self.deadline = nil
        self.nextAttempt = nil
        for knocker in self.knockers {
            knocker.stop()
        }
        self.knockers = []
        let losers = self.attempts.filter { $0 !== winner }
        self.attempts = []
        for loser in losers {
            loser.handshakeObserver = nil
            loser.close(code: 0)
        }
        completion(outcome)
    }

    // MARK: - Words

    private func timeoutError() -> QUICError {
        let answered = self.attempts.contains { $0.hasHeardFromPeer }
        let seconds = self.timeout.formatted
        return answered
            ? QUICError(.handshakeTimeout, "\(self.target) did not finish the handshake within \(seconds)")
            : QUICError(.unreachable, "no answer from \(self.target) within \(seconds)")
    }

    private func error(for failure: QUICHandshakeFailure) -> QUICError {
        let info = failure.info
        switch info.kind {
        case .certificate:
            let why = info.reason.isEmpty ? "a certificate was not accepted" : info.reason
            return QUICError(.certificateRejected, "cannot trust \(self.target): \(why)", wireCode: info.code)
        case .noCommonProtocol:
            let offered = self.protocols.joined(separator: ", ")
            return QUICError(.noCommonProtocol, "\(self.target) speaks none of: \(offered)", wireCode: info.code)
        case .handshakeTimeout, .idleTimeout:
            return failure.peerAnswered
                ? QUICError(.handshakeTimeout, "\(self.target) did not finish the handshake")
                : QUICError(.unreachable, "no answer from \(self.target)")
        case .local, .aborted:
            return QUICError(.stopped, "connecting to \(self.target) was stopped")
        case .refused:
            return QUICError(
                .refused,
                "\(self.target) refuses the connection: it is too busy, has as many connections as it takes, or is being "
                    + "stopped (SERVER_BUSY)",
                wireCode: info.code
            )
        case .peer, .peerTransport, .localTransport, .statelessReset, .tls, .versionMismatch:
            return QUICError(.handshakeFailed, "cannot connect to \(self.target): \(info)", wireCode: info.code)
        }
    }
}

extension Duration {
    /// "4 s", "250 ms".
    fileprivate var formatted: String {
        let (seconds, attoseconds) = self.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 {
            return "\(seconds) s"
        }
        let (fromSeconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        return overflow ? "\(seconds) s" : "\(fromSeconds &+ milliseconds) ms"
    }
}
