// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

/// An executable of the package that was built together with the tests.
package enum BuiltProduct {
    /// There is none.
    package struct Missing: Error, CustomStringConvertible {
        package var description: String
    }

    /// Where an executable is: beside the tests, or beside the bundle that they are in.
    package static func path(of name: String) throws -> String {
        var candidates = [CommandLine.arguments.first].compactMap { $0 }
        if let position = CommandLine.arguments.firstIndex(of: "--test-bundle-path") {
            candidates += CommandLine.arguments.dropFirst(position + 1).prefix(1)
        }
        candidates.append(Bundle.main.bundlePath + "/x")
        for candidate in candidates {
            var directory = URL(fileURLWithPath: candidate)
            for _ in 0..<5 {
                directory = directory.deletingLastPathComponent()
                let executable = directory.appendingPathComponent(name)
                var isDirectory: ObjCBool = false
                let exists = unsafe FileManager.default.fileExists(atPath: executable.path, isDirectory: &isDirectory)
                if exists, !isDirectory.boolValue {
                    return executable.path
                }
            }
        }
        throw Missing(description: "the executable \(name) is not beside the tests (\(candidates))")
    }
}
