// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

/// A directory for one test, removed afterwards.
enum TemporaryDirectory {
    /// Runs `body` with the path of an empty directory.
    static func with<Result>(_ body: (String) throws -> Result) throws -> Result {
        let path = try self.make()
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    /// Runs `body` with the path of an empty directory.
    static func use<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let path = try self.make()
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    private static func make() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("moq-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
