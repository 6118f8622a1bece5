// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import Foundation

/// Where a server listens: `HOST:PORT`, with the host of an IPv6 address in brackets. Port 0 lets the system choose.
struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or a numeric address, without brackets.
    var host: String
    /// The UDP port.
    var port: UInt16

    /// Reads the form that `--listen` takes.
    init(parsing text: String) throws {
        guard let colon = text.lastIndex(of: ":") else {
            throw ValidationError("expected HOST:PORT, for example 127.0.0.1:4433")
        }
        var host = String(text[..<colon])
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else {
            throw ValidationError("the port '\(digits)' is not a number from 0 to 65535")
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw ValidationError("an IPv6 address needs brackets, for example [::1]:4433")
        }
        guard !host.isEmpty else {
            throw ValidationError("the host is missing; 0.0.0.0 listens on every IPv4 address, [::] on every address")
        }
        self.host = host
        self.port = port
    }

    /// The host as a number: names are looked up.
    /// - Throws: ``CommandFailure`` that names a host that cannot be found.
    func numericHost() throws(CommandFailure) -> String {
        var list: UnsafeMutablePointer<addrinfo>?
        let found = unsafe getaddrinfo(self.host, nil, nil, &list)
        guard found == 0, let first = unsafe list else {
            let reason = unsafe gai_strerror(found).map { unsafe String(cString: $0) } ?? "error \(found)"
            throw CommandFailure("--listen: cannot find host '\(self.host)': \(reason)")
        }
        defer { unsafe freeaddrinfo(first) }
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let outcome = unsafe getnameinfo(
            first.pointee.ai_addr,
            first.pointee.ai_addrlen,
            &buffer,
            socklen_t(buffer.count),
            nil,
            0,
            NI_NUMERICHOST
        )
        guard outcome == 0 else { return self.host }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var description: String {
        Self.authority(host: self.host, port: self.port)
    }

    /// Writes host and port as they stand in a URL.
    static func authority(host: String, port: UInt16) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
