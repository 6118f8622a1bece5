// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import PacketLoop
import Testing

@testable import PicoQuic

@Suite("What is kept in files")
struct TicketStoreTests {
    /// A directory that is gone afterwards.
    private func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    private func write(_ text: String, to path: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private func read(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// A ticket that looks as picotls writes it.
    private func ticket(
        obtained: UInt64? = nil,
        age: UInt64 = 0,
        lifetime: UInt32 = 3_600,
        trust: UInt64 = 0,
        name: String = "p"
    ) -> SessionTicket? {
        let obtained = (obtained ?? QUICTicketStore.now - age) * 1_000
        var bytes =
            (0..<8).map { UInt8(truncatingIfNeeded: obtained >> (56 - 8 * $0)) } + [UInt8](repeating: 7, count: 7)
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: lifetime >> (24 - 8 * $0)) } + [1, 2, 3]
        return SessionTicket(
            applicationProtocol: name,
            version: 1,
            limits: [1, 2, 3, 4, 5, 6],
            address: "127.0.0.1",
            authenticated: QUICTicketStore.now - trust,
            bytes: bytes
        )
    }

    private let protocols = ["p", "q"]

    @Test("A ticket is used once, only while it is valid, and only for a protocol that is wanted")
    func validity() throws {
        let store = QUICTicketStore()
        let ticket = try #require(self.ticket())
        store.keep(ticket, for: "a")
        #expect(store.take("b", protocols: self.protocols).ticket == nil)
        #expect(store.take("a", protocols: self.protocols).ticket == ticket)
        #expect(store.take("a", protocols: self.protocols).ticket == nil)
        store.keep(ticket, for: "a")
        #expect(store.take("a", protocols: ["q"]).ticket == nil)
        let day: UInt64 = 24 * 3_600
        for old in [self.ticket(age: 3_600), self.ticket(lifetime: 0), self.ticket(lifetime: .max, trust: day)] {
            store.keep(try #require(old), for: "a")
            #expect(store.count == 0)
        }
        #expect(try #require(self.ticket(age: 3_599)).isValid(at: QUICTicketStore.now + 2) == false)
    }

    @Test("A store forgets the servers that it has not heard of for the longest time")
    func capacity() throws {
        let store = QUICTicketStore(capacity: 3)
        for server in ["a", "b", "c", "a", "d"] {
            store.keep(try #require(self.ticket()), for: server)
        }
        #expect(store.count == 3)
        #expect(store.take("b", protocols: self.protocols).ticket == nil)
        for server in ["a", "c", "d"] {
            #expect(store.take(server, protocols: self.protocols).ticket != nil)
        }
        store.keep(token: [UInt8](repeating: 0, count: 1_025), for: "a")
        store.keep(token: [], for: "a")
        #expect(store.count == 0)
    }

    @Test("A ticket that comes right after the turn of a second is not taken for one from the future")
    func turnOfSecond() throws {
        let store = QUICTicketStore()
        let second = UInt64(Date().timeIntervalSince1970)
        var now = second
        while now == second {
            now = UInt64(Date().timeIntervalSince1970)
        }
        store.keep(try #require(self.ticket(obtained: now)), for: "a")
        #expect(store.ticketCount == 1)
    }

    @Test("An address token alone does not count as a ticket")
    func counts() throws {
        let store = QUICTicketStore()
        store.keep(token: [1], for: "a")
        #expect(store.count == 1)
        #expect(store.ticketCount == 0)
        store.keep(try #require(self.ticket()), for: "a")
        #expect(store.count == 1)
        #expect(store.ticketCount == 1)
    }

    @Test("A file keeps what a store has, is for its owner only, and loses what was used")
    func file() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/tickets"
            let complaints = Locked<[String]>([])
            func open() -> QUICTicketStore {
                QUICTicketStore(file: path) { complaint in complaints.withLock { $0.append(complaint) } }
            }
            let first = open()
            #expect(!FileManager.default.fileExists(atPath: path))
            let ticket = try #require(self.ticket(name: "q"))
            first.keep(ticket, for: "host:1\nname ö\nsystem")
            first.keep(token: [1, 2, 3], for: "host:1\nname ö\nsystem")
            first.keep(token: [4], for: "host:2")
            #expect(try self.mode(path) == 0o600)
            let second = open()
            #expect(second.count == 2)
            let visit = second.take("host:1\nname ö\nsystem", protocols: self.protocols)
            #expect(visit.ticket == ticket)
            #expect(visit.token?.bytes == [1, 2, 3])
            #expect(open().count == 1)
            #expect(open().take("host:2", protocols: []).token?.bytes == [4])
            #expect(open().count == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["tickets"])
            #expect(complaints.withLock { $0 }.isEmpty)
        }
    }

    @Test("A damaged file is reported and begun anew, wherever it is damaged")
    func damage() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/tickets"
            QUICTicketStore(file: path) { _ in }.keep(try #require(self.ticket()), for: "a")
            let whole = try self.read(path)
            var damaged = (22..<whole.utf8.count).map { String(decoding: whole.utf8.prefix($0), as: UTF8.self) }
            damaged.append(
                whole.replacing("ticket ", with: "Ticket ", maxReplacements: 1).replacing("end 1", with: "end 2")
            )
            damaged.append(whole.replacing(" 1 2 3 4 5 6 ", with: " 1 2 3 4 5 99999999999999999999 "))
            damaged.append(whole.replacing(" 1 2 3 4 5 6 ", with: " 1 2 3 4 5 "))
            damaged.append(whole.replacing("\nend", with: "0\nend"))
            for text in damaged {
                try self.write(text, to: path)
                let complaints = Locked<[String]>([])
                let store = QUICTicketStore(file: path) { complaint in complaints.withLock { $0.append(complaint) } }
                #expect(store.count == 0, "\(text)")
                #expect(complaints.withLock { $0 }.count == 1, "\(text)")
            }
            let store = QUICTicketStore(file: path) { _ in }
            store.keep(token: [9], for: "a")
            #expect(QUICTicketStore(file: path) { _ in }.count == 1)
        }
    }

    @Test("A file that is not the store's, or that others could have changed, is left alone")
    func foreign() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/tickets"
            QUICTicketStore(file: path) { _ in }.keep(try #require(self.ticket()), for: "a")
            let whole = try self.read(path)
            let files: [(text: String, mode: Int, word: String)] = [
                ("precious", 0o600, "not a ticket file"), ("", 0o600, "not a ticket file"),
                (whole, 0o640, "other users"), (whole, 0o602, "other users"),
            ]
            for file in files {
                try self.write(file.text, to: path, mode: file.mode)
                let complaints = Locked<[String]>([])
                let store = QUICTicketStore(file: path) { complaint in complaints.withLock { $0.append(complaint) } }
                #expect(store.count == 0)
                store.keep(token: [1], for: "b")
                #expect(store.count == 1)
                #expect(try self.read(path) == file.text)
                #expect(complaints.withLock { $0 }.count == 1)
                #expect(complaints.withLock { $0 }.first?.contains(file.word) == true)
            }
            let complaints = Locked<[String]>([])
            let store = QUICTicketStore(file: "\(directory)/no/tickets") { text in
                complaints.withLock { $0.append(text) }
            }
            store.keep(token: [1], for: "b")
            store.keep(token: [2], for: "b")
            #expect(store.take("b", protocols: []).token?.bytes == [2])
            #expect(complaints.withLock { $0 }.count == 1)
        }
    }

    @Test("Secrets are made once, for their owner only, and are the same ever after")
    func secrets() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/secrets"
            let made = try QUICSecrets(file: path)
            #expect(try self.mode(path) == 0o600)
            #expect(try QUICSecrets(file: path) == made)
            #expect(try QUICSecrets(file: "\(directory)/others") != made)
            var configuration = QUICConfiguration(applicationProtocols: ["x"])
            configuration.adopt(secrets: made)
            try configuration.validate()
            #expect(configuration.statelessResetSeed?.count == 16)
            #expect(configuration.ticketKeys.map(\.count) == [32])
        }
    }

    @Test("A secrets file that cannot be used is refused, and the error says why")
    func badSecrets() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/secrets"
            let seed = "reset-seed \(String(repeating: "5", count: 32))"
            let low = "ticket-key \(String(repeating: "1", count: 64))"
            let high = "ticket-key \(String(repeating: "f", count: 64))"
            let header = "moqingbird-secrets 1"
            let bad: [(lines: [String], mode: Int, word: String)] = [
                ([header, seed, low], 0o644, "open to other users"),
                ([], 0o600, "does not begin"), (["something else"], 0o600, "does not begin"),
                ([header, seed], 0o600, "no ticket-key"), ([header, low], 0o600, "no reset-seed"),
                ([header, "reset-seed 5555", low], 0o600, "has 2 bytes"),
                ([header, seed, "ticket-key 11"], 0o600, "has 1 bytes"),
                ([header, seed, "ticket-key xy"], 0o600, "line 3"),
                ([header, seed, seed, low], 0o600, "two seeds"),
                ([header, seed, low, low], 0o600, "0x80"), ([header, seed, low, high, low], 0o600, "3 ticket keys"),
                ([header, seed, low, "colour 12"], 0o600, "unknown kind"),
                ([header, String(repeating: " ", count: 5_000)], 0o600, "longer than"),
            ]
            for file in bad {
                try self.write(file.lines.joined(separator: "\n") + "\n", to: path, mode: file.mode)
                let error = #expect(throws: QUICError.self) { try QUICSecrets(file: path) }
                #expect(error?.code == .fileUnreadable)
                #expect(error?.message.contains(path) == true)
                #expect(error?.message.contains(file.word) == true, "\(error?.message ?? "")")
            }
            try self.write([header, seed, high, low].joined(separator: "\n"), to: path)
            #expect(try QUICSecrets(file: path).ticketKeys.map { $0.first } == [0xff, 0x11])
            for path in [directory, "\(directory)/no/secrets", "/dev/null"] {
                #expect(throws: QUICError.self) { try QUICSecrets(file: path) }
            }
            var configuration = QUICConfiguration(applicationProtocols: ["x"])
            configuration.ticketKeys = [[1, 2, 3]]
            #expect(throws: QUICError.self) { try configuration.validate() }
        }
    }
}
