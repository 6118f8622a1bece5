// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import Testing
import WebTransport

@testable import MoQCommand

@Suite("Output files", .timeLimit(.minutes(1)))
struct OutputFileTests {
    @Test("The file appears under its name only when it is complete")
    func commit() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/result"
            let file = try OutputFile(path: path)
            try file.write([Bytes([1, 2]), Bytes(), Bytes([3])])
            #expect(!FileManager.default.fileExists(atPath: path))
            try file.commit()
            #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 3]))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["result"])
        }
    }

    @Test("Abandoned output leaves nothing, and what was there before stays")
    func abandon() throws {
        try TemporaryDirectory.with { directory in
            let path = directory + "/result"
            #expect(FileManager.default.createFile(atPath: path, contents: Data([9])))
            let file = try OutputFile(path: path)
            try file.write([Bytes([1, 2])])
            file.abandon()
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["result"])
            #expect(FileManager.default.contents(atPath: path) == Data([9]))
        }
    }

    @Test("A place where no file can be is named in the error")
    func unwritable() throws {
        #expect(throws: CommandFailure("--output '/nowhere/x': no such file or directory")) {
            try OutputFile(path: "/nowhere/x")
        }
    }

    @Test("The writer writes everything in order and reports that it drained")
    func writer() async throws {
        try await TemporaryDirectory.use { directory in
            let path = directory + "/result"
            let drained = Outcome<Void>()
            let writer = try OutputWriter(path: path, didDrain: { drained.succeed(()) }, didFail: { drained.fail($0) })
            var expected = Data()
            var wasAbove = false
            for value in 0..<40 {
                let block = [UInt8](repeating: UInt8(value), count: 1 << 20)
                expected.append(contentsOf: block)
                if writer.submit([Bytes(block)]) > OutputWriter.highWatermark {
                    wasAbove = true
                }
            }
            if wasAbove {
                try await drained.value()
            }
            try await writer.finish()
            #expect(FileManager.default.contents(atPath: path) == expected)
        }
    }

    @Test("A writer that cannot write says so once, and leaves nothing")
    func failure() async throws {
        let failed = Outcome<CommandFailure>()
        let writer = try OutputWriter(path: "/dev/full", didDrain: {}, didFail: { failed.succeed($0) })
        _ = writer.submit([Bytes([1])])
        #expect(try await failed.value().message == "--output '/dev/full': no space left on device")
        await #expect(throws: CommandFailure.self) {
            try await writer.finish()
        }
    }
}
