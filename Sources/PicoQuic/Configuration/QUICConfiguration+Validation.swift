// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension QUICConfiguration {
    /// Checks what can be checked without opening a socket: settings, files, whether certificate and key match.
    /// - Throws: an error whose message names the setting or the file.
    public func validate() throws(QUICError) {
        try Self.validate(protocols: self.applicationProtocols)
        if let complaint = CongestionControl.complaint(about: self.congestionControl) {
            throw QUICError(.invalidConfiguration, complaint)
        }
        try self.validateNumbers()
        if let seed = self.statelessResetSeed, seed.count != 16 {
            throw QUICError(.invalidConfiguration, "the stateless reset seed must have 16 bytes, not \(seed.count)")
        }
        if let why = Self.complaint(aboutTicketKeys: self.ticketKeys) {
            throw QUICError(.invalidConfiguration, why)
        }
        if let file = self.keyLogFile {
            try Self.checkAppendable(file)
        }
        if let directory = self.qlogDirectory {
            try Self.checkDirectory(directory)
        }
        if case .pinned(let fingerprints) = self.verification, fingerprints.isEmpty {
            throw QUICError(.invalidConfiguration, "pinning needs at least one fingerprint")
        }
        if case .authority(let file) = self.verification {
            try Self.checkReadable(file, what: "CA file")
        }
        if case .files(let certificate, let key) = self.credentials {
            try Self.checkReadable(certificate, what: "certificate file")
            try Self.checkReadable(key, what: "key file")
        }
    }

    /// Checks a list of application protocols.
    static func validate(protocols: [String]) throws(QUICError) {
        guard !protocols.isEmpty else {
            throw QUICError(.invalidConfiguration, "at least one application protocol (ALPN) is needed")
        }
        guard protocols.count <= 32 else {
            throw QUICError(.invalidConfiguration, "more than 32 application protocols (ALPN)")
        }
        for name in protocols {
            guard (1...255).contains(name.utf8.count), !name.utf8.contains(0) else {
                throw QUICError(.invalidConfiguration, "'\(name)' cannot be an application protocol (ALPN)")
            }
        }
    }

    private func validateNumbers() throws(QUICError) {
        let largest: UInt64 = 1 << 60
        let numbers: [(String, UInt64, ClosedRange<UInt64>)] = [
            ("stream receive window", self.streamReceiveWindow, 1...largest),
            ("connection receive window", self.connectionReceiveWindow, 1...largest),
            ("limit of bidirectional streams", self.maximumIncomingBidirectionalStreams, 0...largest),
            ("limit of unidirectional streams", self.maximumIncomingUnidirectionalStreams, 0...largest),
            ("limit of connections", UInt64(self.maximumConnections), 1...1_000_000),
            ("largest datagram frame", UInt64(self.maximumDatagramFrameSize), 0...65_535),
        ]
        for (name, value, range) in numbers where !range.contains(value) {
            throw QUICError(
                .invalidConfiguration,
                "the \(name) must be \(range.lowerBound) to \(range.upperBound), not \(value)"
            )
        }
        let durations: [(String, Duration?)] = [
            ("idle timeout", self.idleTimeout),
            ("handshake timeout", self.handshakeTimeout),
            ("keep-alive interval", self.keepAlive),
        ]
        for (name, value) in durations {
            if let value, value < .milliseconds(1) || value > .seconds(86_400) {
                throw QUICError(.invalidConfiguration, "the \(name) must be 1 ms to 1 day, not \(value)")
            }
        }
        guard (Duration.zero...Duration.seconds(1)).contains(self.busyPoll) else {
            throw QUICError(.invalidConfiguration, "busy polling must last 0 to 1 s, not \(self.busyPoll)")
        }
        guard self.busyPoll == .zero || self.packetLoop == .epoll else {
            throw QUICError(
                .invalidConfiguration,
                "busy polling needs the packet loop '\(PacketLoopKind.epoll.rawValue)', not '\(self.packetLoop.rawValue)'"
            )
        }
        guard self.socketBufferSize >= 0 else {
            throw QUICError(.invalidConfiguration, "the socket buffer size must not be negative")
        }
    }

    private static func checkReadable(_ path: String, what: String) throws(QUICError) {
        try self.check(path, what: what, verb: "read", flags: O_RDONLY)
    }

    private static func checkAppendable(_ path: String) throws(QUICError) {
        try self.check(path, what: "key log file", verb: "write", flags: O_WRONLY | O_APPEND | O_CREAT)
    }

    private static func check(_ path: String, what: String, verb: String, flags: CInt) throws(QUICError) {
        let descriptor = unsafe open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw QUICError(.fileUnreadable, "cannot \(verb) \(what) '\(path)': \(systemErrorText(errno))")
        }
        var status = stat()
        let isDirectory = unsafe fstat(descriptor, &status) == 0 && (status.st_mode & S_IFMT) == S_IFDIR
        close(descriptor)
        if isDirectory {
            throw QUICError(.fileUnreadable, "cannot \(verb) \(what) '\(path)': it is a directory")
        }
    }

    private static func checkDirectory(_ path: String) throws(QUICError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw QUICError(.fileUnreadable, "cannot use qlog directory '\(path)': \(systemErrorText(errno))")
        }
        guard (status.st_mode & S_IFMT) == S_IFDIR else {
            throw QUICError(.fileUnreadable, "cannot use qlog directory '\(path)': it is not a directory")
        }
        guard unsafe access(path, W_OK) == 0 else {
            throw QUICError(.fileUnreadable, "cannot use qlog directory '\(path)': \(systemErrorText(errno))")
        }
    }
}

extension QUICConfiguration {
    /// What a server is called in the ticket store. How it is verified is a part of it: a ticket that came without, or by
    /// another authority, must not stand for a certificate that was looked at.
    func storeKey(_ target: String, _ name: String) -> String {
        let trust =
            switch self.verification {
            case .systemRoots: "system"
            case .authority(let file): "authority \(file)"
            case .pinned(let fingerprints): "pinned " + fingerprints.map(\.description).sorted().joined(separator: ",")
            case .insecure: "insecure"
            }
        return "\(target)\n\(name)\n\(trust)"
    }
}
