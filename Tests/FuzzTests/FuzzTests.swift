// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import FuzzChecks
import Testing

/// What the fuzzers begin with, and what they have found, without a fuzzer.
@Suite("Fuzzing", .timeLimit(.minutes(2)))
struct FuzzTests {
    /// A kept input.
    struct Case: CustomTestStringConvertible {
        let target: FuzzTarget
        let file: URL

        var testDescription: String {
            "\(self.target.rawValue)/\(self.file.lastPathComponent)"
        }

        /// The folder of the inputs that made a target fail once, a folder for each target.
        static let folder = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("FuzzTesting/FailCases")

        static let all: [Case] = FuzzTarget.allCases.flatMap { target in
            let folder = folder.appendingPathComponent(target.rawValue)
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.sorted().map { Case(target: target, file: folder.appendingPathComponent($0)) }
        }
    }

    @Test("What our encoders write passes the checks, whole and damaged", arguments: FuzzTarget.allCases)
    func seeds(target: FuzzTarget) throws {
        let seeds = try target.seeds()
        #expect(seeds.count >= 6)
        for seed in seeds {
            #expect(throws: Never.self) { try target.check(seed) }
            for length in stride(from: seed.count - 1, to: 0, by: -7) {
                #expect(throws: Never.self) { try target.check(Array(seed.prefix(length)) + [0xFF]) }
            }
        }
    }

    @Test("What a fuzzer found once is not found again", arguments: Case.all)
    func regression(kept: Case) throws {
        let input = Array(try Data(contentsOf: kept.file))
        #expect(throws: Never.self) { try kept.target.check(input) }
    }

    @Test("The folder of kept inputs has no folder that nothing replays")
    func folders() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Case.folder.path)
        let known = FuzzTarget.allCases.map(\.rawValue) + ["README.md"]
        #expect(Set(names).subtracting(known).isEmpty)
    }
}
