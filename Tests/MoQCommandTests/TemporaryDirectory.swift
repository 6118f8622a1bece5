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

    /// Waits until a file in a directory has content, for ten seconds at most.
    /// - Returns: whether one has.
    static func hasContent(_ path: String) async -> Bool {
        let deadline = ContinuousClock.now.advanced(by: .seconds(10))
        while ContinuousClock.now < deadline {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            let sizes = names.map { name in
                (try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)"))?[.size] as? Int ?? 0
            }
            if sizes.contains(where: { $0 > 0 }) {
                return true
            }
            await Task.yield()
        }
        return false
    }

    private static func make() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("moq-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
