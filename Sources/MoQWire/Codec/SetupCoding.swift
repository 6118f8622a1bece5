// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

extension SetupOptions {
    /// The numbers of the options, the same in all drafts (draft-18 §10.3.1).
    private enum Option {
        static let path: UInt64 = 0x01
        static let maxRequestID: UInt64 = 0x02
        static let authorizationToken: UInt64 = 0x03
        static let maxAuthTokenCacheSize: UInt64 = 0x04
        static let authority: UInt64 = 0x05
        static let implementation: UInt64 = 0x07
    }

    /// Reads the options of a setup message to the end of the frame.
    ///
    /// - Parameter sender: who sent them; servers may not say where they want to connect to.
    init(from reader: inout WireReader, sender: Role, profile: DraftProfile) throws(MoQWireError) {
        self.init()
        if profile.setupNegotiatesVersion {
            try self.readVersions(from: &reader, sender: sender)
        }
        let count = profile.setupOptionsAreCounted ? try reader.readInteger() : UInt64.max
        var walker = KeyValueReader(try reader.readSlice(reader.remaining), keys: profile.coding.keys)
        var read: UInt64 = 0
        while !walker.isAtEnd, read < count {
            read += 1
            let pair = try walker.nextPair()
            guard try self.store(pair, sender: sender, profile: profile) else {
                self.unknown.append(pair)
                continue
            }
        }
        // Their order means nothing, and only one order can be written in all drafts.
        self.unknown = WireWriter.stablySorted(self.unknown)
        guard walker.isAtEnd, read == count || !profile.setupOptionsAreCounted else {
            throw .violation("the number of setup options does not fit the length of the message")
        }
    }

    /// Reads the versions that a client offers, or the one that a server has chosen (draft-14 §9.3.1).
    private mutating func readVersions(from reader: inout WireReader, sender: Role) throws(MoQWireError) {
        guard sender == .client else {
            self.versions = [try reader.readInteger()]
            return
        }
        let count = try reader.readInteger()
        // Each takes a byte at least, so this bounds the loop by the frame.
        guard count <= UInt64(reader.remaining) else {
            throw .violation("there are more versions than the message has room for")
        }
        for _ in 0..<Int(count) {
            self.versions.append(try reader.readInteger())
        }
    }

    /// Takes over one option. Returns false when the draft does not define it.
    private mutating func store(
        _ pair: KeyValuePair,
        sender: Role,
        profile: DraftProfile
    ) throws(MoQWireError) -> Bool {
        switch (pair.type, pair.value) {
        case (Option.path, .bytes(let bytes)):
            guard sender == .client else {
                throw MoQWireError(code: .invalidPath, reason: "a server sent a path")
            }
            guard let text = URIText(path: bytes) else {
                throw MoQWireError(code: .malformedPath, reason: "the path is not that of a URI")
            }
            try Self.set(&self.path, to: text.text, profile: profile)
        case (Option.authority, .bytes(let bytes)):
            guard sender == .client else {
                throw MoQWireError(code: .invalidAuthority, reason: "a server sent an authority")
            }
            guard let text = URIText(authority: bytes) else {
                throw MoQWireError(code: .malformedAuthority, reason: "the authority is not that of a URI")
            }
            try Self.set(&self.authority, to: text.text, profile: profile)
        case (Option.maxRequestID, .integer(let value)) where profile.hasRequestLimit:
            try Self.set(&self.maxRequestID, to: RequestID(value), profile: profile)
        case (Option.maxAuthTokenCacheSize, .integer(let value)):
            try Self.set(&self.maxAuthTokenCacheSize, to: value, profile: profile)
        case (Option.implementation, .bytes(let bytes)):
            try Self.set(&self.implementation, to: String(decoding: bytes, as: UTF8.self), profile: profile)
        case (Option.authorizationToken, .bytes(let bytes)):
            let token = try AuthorizationToken(
                filling: unsafe WireReader(bytes.span.bytes, integers: profile.coding.integers)
            )
            switch token {
            case .delete, .useAlias:
                guard sender == .server else {
                    throw .violation("a token of a client's setup refers to an alias")
                }
            case .register, .useValue:
                break
            }
            self.tokens.append(token)
        default:
            return false
        }
        return true
    }

    /// Sets an option that may be there once.
    private static func set<T>(_ option: inout T?, to value: T, profile: DraftProfile) throws(MoQWireError) {
        guard option == nil else {
            guard profile.repeatedSetupOption == .ignore else {
                throw .violation("a setup option is repeated")
            }
            return
        }
        option = value
    }

    /// Appends the options, with their count where the draft wants it.
    ///
    /// - Throws: when the draft has no such option, or a value is too long.
    func encode(into writer: inout WireWriter, sender: Role, profile: DraftProfile) throws(MoQWireError) {
        var pairs = self.unknown
        func add(_ pair: KeyValuePair?) throws(MoQWireError) {
            guard let pair else {
                throw .notExpressible("a setup option exceeds 65,535 bytes")
            }
            pairs.append(pair)
        }
        if let path = self.path {
            try add(KeyValuePair(type: Option.path, bytes: Array(path.utf8)))
        }
        if let authority = self.authority {
            try add(KeyValuePair(type: Option.authority, bytes: Array(authority.utf8)))
        }
        guard sender == .client || (self.path == nil && self.authority == nil) else {
            throw .notExpressible("a server does not send a path or an authority")
        }
        if let maxRequestID = self.maxRequestID {
            guard profile.hasRequestLimit else {
                throw .notExpressible("\(profile) has no limit of request ids")
            }
            try add(KeyValuePair(type: Option.maxRequestID, integer: maxRequestID.rawValue))
        }
        if let size = self.maxAuthTokenCacheSize {
            try add(KeyValuePair(type: Option.maxAuthTokenCacheSize, integer: size))
        }
        if let implementation = self.implementation {
            try add(KeyValuePair(type: Option.implementation, bytes: Array(implementation.utf8)))
        }
        for token in self.tokens {
            let bytes = try token.encoded(integers: profile.coding.integers)
            try add(KeyValuePair(type: Option.authorizationToken, bytes: bytes))
        }
        guard profile.setupNegotiatesVersion || self.versions.isEmpty else {
            throw .notExpressible("\(profile) does not negotiate versions in its setup")
        }
        if profile.setupNegotiatesVersion {
            guard sender == .client || self.versions.count == 1 else {
                throw .notExpressible("a server chooses one version in \(profile)")
            }
            if sender == .client {
                try writer.write(integer: UInt64(self.versions.count))
            }
            for version in self.versions {
                try writer.write(integer: version)
            }
        }
        if profile.setupOptionsAreCounted {
            try writer.write(integer: UInt64(pairs.count))
        }
        // In the order of their types, which is the only one where types are distances.
        let sorted = WireWriter.stablySorted(pairs)
        try writer.write(pairs: sorted, keys: profile.coding.keys)
    }
}
