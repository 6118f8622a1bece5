// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
public import MoQPicoQuic
import PicoQuic

/// What the examples have in common: their first arguments, a connection, and lines of output.
public enum Example {
    /// Connects to the relay that the command line names and runs `body` with the arguments after that.
    ///
    /// The first argument is the relay's URL, the second the fingerprint of its certificate, or `-` to verify it with the
    /// system's roots. `usage` says what else there has to be. What goes wrong stands on standard error, and the status
    /// is 1 then, and 64 when arguments are missing.
    public static func run(
        usage: String,
        _ body: (_ client: MoQPicoQuicClient, _ arguments: [String]) async throws -> Void
    ) async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2 + usage.split(separator: " ").count(where: { !$0.hasPrefix("[") }) else {
            self.complain("usage: \(CommandLine.arguments[0]) URL FINGERPRINT \(usage)")
            exit(64)
        }
        do {
            var configuration = MoQEndpointConfiguration()
            if let fingerprint = SHA256Fingerprint(arguments[1]) {
                configuration.quic.verification = .pinned([fingerprint])
            }
            let url = try MoQURL(arguments[0])
            try await MoQPicoQuicClient.withConnection(to: url, configuration: configuration) { client in
                try await body(client, Array(arguments.dropFirst(2)))
            }
        } catch {
            self.complain("error: \(error)")
            exit(1)
        }
    }

    /// Writes a line to standard output, at once.
    public static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    private static func complain(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
