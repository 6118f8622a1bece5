// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import Foundation
internal import MoQ
internal import MoQWire

/// The tokens of `--token-file`, one in each line: what a server accepts, and in the first line what a client shows.
///
/// Their type is 0, on which both sides agree by having the file (draft-18 §10.2.2).
struct TokenFile: Sendable {
    /// The most bytes that a file may have.
    static let maximumSize = 65_536
    /// How many bytes of tokens a server keeps for each client, so that those come by alias.
    static let cacheSize: UInt64 = 4_096

    /// The tokens, at least one.
    let credentials: [AuthorizationCredential]

    /// Reads a file. Empty lines, and those that begin with #, are left out.
    /// - Throws: `ValidationError`, when it cannot be read, is too large, or has no token.
    init(reading path: String) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw ValidationError("cannot read the tokens in '\(path)'")
        }
        let data: Data
        do {
            // Nothing is what an empty file has.
            data = try file.read(upToCount: Self.maximumSize + 1) ?? Data()
        } catch {
            throw ValidationError("cannot read the tokens in '\(path)': \(error.localizedDescription)")
        }
        guard data.count <= Self.maximumSize else {
            throw ValidationError("'\(path)' is too large for a file of tokens")
        }
        self.credentials = data.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            .filter { $0.first != UInt8(ascii: "#") }
            .map { AuthorizationCredential(value: Array($0)) }
        guard !self.credentials.isEmpty else {
            throw ValidationError("there is no token in '\(path)'")
        }
    }

    /// Makes sessions of a client show the first token with every request.
    func show(in session: inout MoQSessionConfiguration) {
        session.requestTokens = self.credentials.prefix(1).map { AuthorizationToken($0) }
    }

    /// Makes sessions of a server demand one of the tokens with every request, or in SETUP.
    func demand(in session: inout MoQSessionConfiguration) {
        session.setup.maxAuthTokenCacheSize = Self.cacheSize
        session.authorizer = { self.decide($0) }
    }

    private func decide(_ request: AuthorizationRequest) -> AuthorizationDecision {
        let shown = request.credentials + request.sessionCredentials
        guard request.operation != .session else {
            return .allowed
        }
        guard !shown.isEmpty else {
            return .unauthorized(reason: "a token is needed here")
        }
        return shown.contains(where: self.accepts) ? .allowed : .unauthorized(reason: "the token is not known here")
    }

    /// Whether it is one of the tokens. How long that takes tells nobody how much of a guess was right.
    private func accepts(_ shown: AuthorizationCredential) -> Bool {
        var isKnown = false
        for credential in self.credentials where credential.value.count == shown.value.count {
            var difference: UInt8 = 0
            for (own, other) in zip(credential.value, shown.value) {
                difference |= own ^ other
            }
            isKnown = isKnown || (difference == 0 && shown.type == credential.type)
        }
        return isKnown
    }
}
