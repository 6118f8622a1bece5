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
        completion: @escaping (Result<QUICConnection, QUICError>) -> Void
    ) {
        self.context = context
        self.target = target
        self.name = name
        self.protocols = protocols
        self.remaining = addresses
        self.timeout = timeout
        self.completion = completion
    }

    func start() {
        self.deadline = self.context.loop.schedule(after: self.timeout) {
            self.fail(self.timeoutError())
        }
        self.tryNext()
    }

    /// Gives up.
    func cancel() {
        self.fail(QUICError(.stopped, "connecting to \(self.target) was cancelled"))
    }

    private func tryNext() {
        self.nextAttempt?.cancel()
        self.nextAttempt = nil
        guard self.completion != nil, !self.remaining.isEmpty else {
            return
        }
        let address = self.remaining.removeFirst()
        let index = self.attempts.count
        do throws(QUICError) {
            let connection = try self.context.connect(to: address, name: self.name, protocols: self.protocols) {
                self.finished(index, $0)
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
        } catch {
            self.fail(error)
            return
        }
        if !self.remaining.isEmpty {
            self.nextAttempt = self.context.loop.schedule(after: Self.patience) { self.tryNext() }
        }
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
        self.remaining.isEmpty && !self.attempts.contains { $0 !== connection && $0.isOpen }
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
