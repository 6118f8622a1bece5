// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a server has to know again after a restart, and what all servers behind one address have to share: the seed of
/// stateless resets (RFC 9000 section 10.3), and the keys of session tickets and address tokens.
///
/// Who knows them can end connections, forge tokens, and read what resumed connections send as 0-RTT. Keep them as you
/// keep the certificate's key.
public struct QUICSecrets: Sendable, Hashable {
    /// How many bytes the seed has.
    public static let resetSeedLength = 16

    /// How many bytes a ticket key has.
    public static let ticketKeyLength = 32

    /// How many ticket keys there can be at a time.
    public static let maximumTicketKeys = 2

    /// See ``QUICConfiguration/statelessResetSeed``.
    public var statelessResetSeed: [UInt8]

    /// See ``QUICConfiguration/ticketKeys``.
    public var ticketKeys: [[UInt8]]

    /// Random secrets, from the system's source for such.
    public init() {
        var generator = SystemRandomNumberGenerator()
        func random(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        }
        self.statelessResetSeed = random(Self.resetSeedLength)
        self.ticketKeys = [random(Self.ticketKeyLength)]
    }

    private static let header = "moqingbird-secrets 1"
    private static let longestFile = 4_096

    /// The secrets in a file. When it does not exist, it is made with random ones, readable by its owner only.
    ///
    /// A file is text: `moqingbird-secrets 1`, then `reset-seed` and 32 hexadecimal digits, then `ticket-key` and 64, each
    /// on a line of its own. A second `ticket-key` is the former one: tickets made with it are still taken.
    /// - Throws: `fileUnreadable` when the file cannot be read or made, is open to other users, or does not hold
    ///   all of that.
    public init(file: String) throws(QUICError) {
        if let bytes = try PrivateFile.read(file, limit: Self.longestFile) {
            self = try Self.parse(bytes, file: file)
            return
        }
        let secrets = QUICSecrets()
        if try PrivateFile.create(file, with: [UInt8](secrets.text.utf8)) {
            self = secrets
            return
        }
        // Somebody was faster, and those count.
        guard let bytes = try PrivateFile.read(file, limit: Self.longestFile) else {
            throw QUICError(.fileUnreadable, "cannot read '\(file)': it comes and goes")
        }
        self = try Self.parse(bytes, file: file)
    }

    private var text: String {
        var lines = [Self.header, "reset-seed \(HexText.encode(self.statelessResetSeed))"]
        lines += self.ticketKeys.map { "ticket-key \(HexText.encode($0))" }
        return lines.joined(separator: "\n") + "\n"
    }

    private init(statelessResetSeed: [UInt8], ticketKeys: [[UInt8]]) {
        self.statelessResetSeed = statelessResetSeed
        self.ticketKeys = ticketKeys
    }

    private static func parse(_ bytes: [UInt8], file: String) throws(QUICError) -> QUICSecrets {
        func complaint(_ why: String) -> QUICError {
            QUICError(.fileUnreadable, "the secrets file '\(file)' cannot be used: \(why)")
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let first = lines.first, first == Self.header else {
            throw complaint("it does not begin with '\(Self.header)'")
        }
        var seed: [UInt8]?
        var keys: [[UInt8]] = []
        for (index, line) in lines.enumerated().dropFirst() {
            let words = line.split(separator: " ")
            guard words.count == 2, let value = HexText.decode(words[1]) else {
                throw complaint("line \(index + 1) is not a name and hexadecimal digits")
            }
            switch words[0] {
            case "reset-seed" where seed == nil && value.count == Self.resetSeedLength:
                seed = value
            case "ticket-key" where value.count == Self.ticketKeyLength:
                keys.append(value)
            case "reset-seed" where seed != nil:
                throw complaint("it has two seeds")
            case "reset-seed", "ticket-key":
                throw complaint("the \(words[0]) has \(value.count) bytes")
            default:
                throw complaint("line \(index + 1) is of an unknown kind")
            }
        }
        guard let seed else {
            throw complaint("it has no reset-seed")
        }
        guard !keys.isEmpty else {
            throw complaint("it has no ticket-key")
        }
        if let why = QUICConfiguration.complaint(aboutTicketKeys: keys) {
            throw complaint(why)
        }
        return QUICSecrets(statelessResetSeed: seed, ticketKeys: keys)
    }
}

extension QUICConfiguration {
    /// Takes over a server's secrets.
    public mutating func adopt(secrets: QUICSecrets) {
        self.statelessResetSeed = secrets.statelessResetSeed
        self.ticketKeys = secrets.ticketKeys
    }

    /// What is wrong with ticket keys; nil when they can be used.
    static func complaint(aboutTicketKeys keys: [[UInt8]]) -> String? {
        if let key = keys.first(where: { $0.count != QUICSecrets.ticketKeyLength }) {
            return "a ticket key must have \(QUICSecrets.ticketKeyLength) bytes, not \(key.count)"
        }
        guard keys.count <= QUICSecrets.maximumTicketKeys else {
            return "there are \(keys.count) ticket keys, \(QUICSecrets.maximumTicketKeys) are possible"
        }
        // The library tells two keys apart by this bit.
        if let first = keys.first?.first, let second = keys.dropFirst().first?.first, first >> 7 == second >> 7 {
            return "of two ticket keys one must begin with a byte below 0x80 and the other with one above"
        }
        return nil
    }
}
