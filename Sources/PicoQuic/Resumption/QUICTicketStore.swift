// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where clients keep what servers give them to come back with: session tickets, which spare the certificate and let data
/// travel in the first flight (0-RTT), and address tokens, which spare a Retry.
///
/// For each server, as it was asked for and as it was verified, the newest of both is kept and used for one connection.
/// Several endpoints may share a store. With a file it survives the process. Callable from any thread; with a file, changes
/// are written by whoever makes them, which is the loop of a connection when a ticket arrives and when one is used.
public final class QUICTicketStore: Sendable {
    /// What is kept for one server.
    struct Visit: Hashable, Sendable {
        var ticket: SessionTicket?
        var token: Token?
    }

    /// An address token (RFC 9000 section 8.1.3).
    struct Token: Hashable, Sendable {
        /// The longest that is kept.
        static let longest = 1_024
        /// How long one is used, in seconds. Servers do not say how long they take it.
        static let lifetime: UInt64 = 24 * 3_600

        /// When it came, in seconds of the system's clock.
        var obtained: UInt64
        var bytes: [UInt8]

        func isValid(at now: UInt64) -> Bool {
            self.obtained <= now && now - self.obtained < Self.lifetime
        }
    }

    /// Servers and what is kept for them, the one that was heard of last at the end.
    typealias Entries = [(server: String, visit: Visit)]

    /// How many servers are remembered at most; the one that was not heard of for the longest time is forgotten first.
    public let capacity: Int

    /// The file that the store is kept in.
    public let file: String?

    private let report: @Sendable (String) -> Void
    private let content: Locked<Content>

    private struct Content {
        var entries: Entries = []
        /// Whether the file is ours to write.
        var isWritten = false
    }

    /// A store that is lost with the process.
    public init(capacity: Int = 128) {
        self.capacity = max(1, capacity)
        self.file = nil
        self.report = { _ in }
        self.content = Locked(Content())
    }

    /// A store in a file, which is read now, and made with the first ticket if it does not exist.
    ///
    /// Never fails: without its file a store works as if it had none. A damaged file is replaced. A file that does not begin
    /// as a store does, or that other users could have changed, is left alone.
    /// - Parameter report: called with one line for a person when the file cannot be read, used or written.
    public init(file: String, capacity: Int = 128, report: @escaping @Sendable (String) -> Void) {
        self.capacity = max(1, capacity)
        self.file = file
        self.report = report
        var content = Content()
        do throws(QUICError) {
            if let bytes = try PrivateFile.read(file, limit: TicketFile.longest) {
                guard TicketFile.isOne(bytes) else {
                    throw QUICError(.fileUnreadable, "'\(file)' is not a ticket file")
                }
                if let entries = TicketFile.decode(bytes) {
                    content.entries = entries.suffix(self.capacity)
                } else {
                    report("the ticket file '\(file)' is damaged and begun anew")
                }
            }
            content.isWritten = true
        } catch {
            report("\(error.message); tickets are not kept")
        }
        self.content = Locked(content)
    }

    /// How many servers something is kept for: a ticket, an address token or both.
    public var count: Int { self.content.withLock { $0.entries.count } }

    /// How many servers a session ticket is kept for. A server sends ticket and token in packets of their own, in any order.
    public var ticketCount: Int { self.content.withLock { $0.entries.count { $0.visit.ticket != nil } } }

    /// What is kept for a server and still of use, which is forgotten here: neither is meant to be used twice.
    /// - Parameter protocols: the application protocols that a ticket may be for.
    func take(_ server: String, protocols: [String]) -> Visit {
        let now = Self.now
        guard self.content.withLock({ content in content.entries.contains { $0.server == server } }) else {
            return Visit()
        }
        var visit = self.change { entries in
            guard let index = entries.firstIndex(where: { $0.server == server }) else {
                return Visit()
            }
            return entries.remove(at: index).visit
        }
        if let ticket = visit.ticket, !ticket.isValid(at: now) || !protocols.contains(ticket.applicationProtocol) {
            visit.ticket = nil
        }
        if let token = visit.token, !token.isValid(at: now) {
            visit.token = nil
        }
        return visit
    }

    /// Keeps the newest ticket of a server.
    func keep(_ ticket: SessionTicket, for server: String) {
        guard ticket.isValid(at: Self.now) else {
            return
        }
        self.update(server) { $0.ticket = ticket }
    }

    /// Keeps the newest token of a server.
    func keep(token: [UInt8], for server: String) {
        guard (1...Token.longest).contains(token.count) else {
            return
        }
        self.update(server) { $0.token = Token(obtained: Self.now, bytes: token) }
    }

    private func update(_ server: String, _ body: (inout Visit) -> Void) {
        self.change { entries in
            var visit = Visit()
            if let index = entries.firstIndex(where: { $0.server == server }) {
                visit = entries.remove(at: index).visit
            } else if entries.count >= self.capacity {
                entries.removeFirst()
            }
            body(&visit)
            entries.append((server, visit))
        }
    }

    /// Changes the entries, and the file with them.
    private func change<R>(_ body: (inout Entries) -> R) -> R {
        let (result, problem) = self.content.withLock { content -> (R, String?) in
            let result = body(&content.entries)
            guard let file = self.file, content.isWritten else {
                return (result, nil)
            }
            do throws(QUICError) {
                try PrivateFile.replace(file, with: TicketFile.encode(content.entries))
                return (result, nil)
            } catch {
                content.isWritten = false
                return (result, "\(error.message); tickets are not kept")
            }
        }
        if let problem {
            self.report(problem)
        }
        return result
    }

    /// The system's clock in seconds: tickets are dated by it, so that they survive a restart of the system.
    ///
    /// Not `time`, which may be milliseconds behind: a ticket that was dated in between would come from the future.
    static var now: UInt64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(clamping: now.tv_sec)
    }
}
