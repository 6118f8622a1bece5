// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// How a ``QUICTicketStore`` is written down: text, one line for each ticket and each token, and a last line that says how
/// many there are, so that a part of a file is not taken for the whole.
enum TicketFile {
    /// No longer file is read.
    static let longest = 4 << 20

    private static let header = "moqingbird-tickets 1"

    /// Whether bytes begin as such a file does.
    static func isOne(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [UInt8]("\(self.header)\n".utf8))
    }

    /// Writes entries down.
    static func encode(_ entries: QUICTicketStore.Entries) -> [UInt8] {
        var lines = [self.header]
        for (server, visit) in entries {
            let name = HexText.encode(server.utf8)
            if let ticket = visit.ticket {
                var words = ["ticket", name, HexText.encode(ticket.applicationProtocol.utf8), "\(ticket.version)"]
                words += ticket.limits.map { "\($0)" }
                words += [HexText.encode(ticket.address.utf8), "\(ticket.authenticated)", HexText.encode(ticket.bytes)]
                lines.append(words.joined(separator: " "))
            }
            if let token = visit.token {
                lines.append("token \(name) \(token.obtained) \(HexText.encode(token.bytes))")
            }
        }
        lines.append("end \(lines.count - 1)")
        return [UInt8]((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Reads entries; nil when anything is not as it was written.
    static func decode(_ bytes: [UInt8]) -> QUICTicketStore.Entries? {
        guard self.isOne(bytes), bytes.last == UInt8(ascii: "\n") else {
            return nil
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let last = lines.last, last == "end \(lines.count - 2)" else {
            return nil
        }
        var entries: QUICTicketStore.Entries = []
        for line in lines.dropFirst().dropLast() {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count > 2, let server = self.text(words[1]) else {
                return nil
            }
            if entries.last?.server != server {
                entries.append((server, QUICTicketStore.Visit()))
            }
            var visit = entries[entries.count - 1].visit
            switch words[0] {
            case "ticket":
                guard visit.ticket == nil, let ticket = self.ticket(words) else {
                    return nil
                }
                visit.ticket = ticket
            case "token":
                guard visit.token == nil, let token = self.token(words) else {
                    return nil
                }
                visit.token = token
            default:
                return nil
            }
            entries[entries.count - 1].visit = visit
        }
        return entries
    }

    private static func ticket(_ words: [Substring]) -> SessionTicket? {
        guard words.count == 13, let name = self.text(words[2]), let version = UInt32(words[3]),
            let address = self.text(words[10]), let authenticated = UInt64(words[11]),
            let bytes = HexText.decode(words[12])
        else {
            return nil
        }
        return SessionTicket(
            applicationProtocol: name,
            version: version,
            limits: words[4..<10].compactMap { UInt64($0) },
            address: address,
            authenticated: authenticated,
            bytes: bytes
        )
    }

    private static func token(_ words: [Substring]) -> QUICTicketStore.Token? {
        guard words.count == 4, let obtained = UInt64(words[2]), let bytes = HexText.decode(words[3]),
            (1...QUICTicketStore.Token.longest).contains(bytes.count)
        else {
            return nil
        }
        return QUICTicketStore.Token(obtained: obtained, bytes: bytes)
    }

    private static func text(_ word: Substring) -> String? {
        HexText.decode(word).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
