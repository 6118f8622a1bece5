// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Where a MoQ server is: `moqt://host:port/path?query` (draft-18 section 3.1.2).
public struct MoQURL: Hashable, Sendable, CustomStringConvertible {
    /// Why a text is not such a URL.
    public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// One line that quotes the text and says what is wrong with it.
        public var description: String
    }

    /// The port when the URL names none.
    public static let defaultPort: UInt16 = 443

    /// No longer URL is accepted.
    private static let longest = 8_192

    /// The host: a name or a numeric address, without brackets.
    public let host: String

    /// The UDP port.
    public let port: UInt16

    /// Host and port as the URL spells them, which is what the server is told (AUTHORITY in SETUP).
    public let authority: String

    /// The path, which begins with a slash. A URL without one means "/".
    public let path: String

    /// What follows the question mark; nil when there is none.
    public let query: String?

    /// Path and query, which is what the server is told (PATH in SETUP).
    public var pathAndQuery: String {
        self.query.map { "\(self.path)?\($0)" } ?? self.path
    }

    /// The URL.
    public var description: String { "moqt://\(self.authority)\(self.pathAndQuery)" }

    /// Reads a URL.
    /// - Throws: ``ParseError``, which says what is wrong.
    public init(_ text: String) throws(ParseError) {
        func complaint(_ why: String) -> ParseError {
            ParseError(description: "'\(text.prefix(200))' is not a MoQ URL: \(why)")
        }
        guard text.utf8.count <= Self.longest else {
            throw complaint("it is longer than \(Self.longest) bytes")
        }
        guard let separator = text.firstRange(of: "://") else {
            throw complaint("it does not begin with moqt://")
        }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "moqt" else {
            throw complaint(
                scheme == "https"
                    ? "WebTransport over HTTP/3 (https://) is not supported, only moqt://"
                    : "it does not begin with moqt://"
            )
        }
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
        guard isPlain else {
            throw complaint("it contains a space or a character outside ASCII")
        }
        let rest = text[separator.upperBound...]
        guard !rest.contains("#") else {
            throw complaint("fragments (#) are not supported")
        }
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<authorityEnd]
        guard !authority.contains("@") else {
            throw complaint("user names (@) are not allowed")
        }
        let (host, port): (String, UInt16)
        do throws(Flaw) {
            (host, port) = try Self.split(authority)
        } catch {
            throw complaint(error.why)
        }
        self.host = host
        self.port = port
        self.authority = String(authority)
        let tail = rest[authorityEnd...]
        if let mark = tail.firstIndex(of: "?") {
            self.query = String(tail[tail.index(after: mark)...])
            self.path = mark == tail.startIndex ? "/" : String(tail[..<mark])
        } else {
            self.query = nil
            self.path = tail.isEmpty ? "/" : String(tail)
        }
    }

    private struct Flaw: Error {
        var why: String
    }

    /// Takes "host", "host:port", "[address]" or "[address]:port" apart.
    private static func split(_ authority: Substring) throws(Flaw) -> (String, UInt16) {
        let host: Substring
        let portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else {
                throw Flaw(why: "the bracket around the address is not closed")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw Flaw(why: "'\(rest)' cannot follow the address")
            }
            guard host.contains(":") else {
                throw Flaw(why: "'\(host)' in brackets is not an IPv6 address")
            }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else {
                throw Flaw(why: "an IPv6 address must stand in brackets")
            }
            host = parts.first ?? ""
            portText = parts.count == 2 ? parts[1] : nil
        }
        guard !host.isEmpty else {
            throw Flaw(why: "it names no host")
        }
        guard let portText, !portText.isEmpty else {
            return (String(host), Self.defaultPort)
        }
        guard portText.allSatisfy(\.isNumber), let port = UInt16(portText), port != 0 else {
            throw Flaw(why: "'\(portText)' is not a port from 1 to 65535")
        }
        return (String(host), port)
    }
}
