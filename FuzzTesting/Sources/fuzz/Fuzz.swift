// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CFuzzer
import Foundation
import FuzzChecks

/// `fuzz TARGET [ARGUMENT…]` lets libFuzzer try one target, with libFuzzer's arguments; `fuzz --seeds TARGET FOLDER`
/// writes what to begin with. Scripts/fuzz does both.
@main
enum Fuzz {
    /// What is tried. Written once, before libFuzzer begins, and all of it is one thread.
    nonisolated(unsafe) static var target = FuzzTarget.control

    static func main() throws {
        var arguments = CommandLine.arguments
        guard arguments.count >= 2 else {
            exit(usage())
        }
        if arguments[1] == "--seeds" {
            guard arguments.count == 4, let target = FuzzTarget(rawValue: arguments[2]) else {
                exit(usage())
            }
            try self.writeSeeds(of: target, to: arguments[3])
            return
        }
        guard let target = FuzzTarget(rawValue: arguments[1]) else {
            exit(usage())
        }
        unsafe self.target = target
        arguments.remove(at: 1)
        exit(unsafe self.run(arguments))
    }

    private static func usage() -> Int32 {
        let targets = FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")
        FileHandle.standardError.write(Data("usage: fuzz \(targets) [ARGUMENT…] | fuzz --seeds TARGET FOLDER\n".utf8))
        return 64
    }

    private static func writeSeeds(of target: FuzzTarget, to folder: String) throws {
        for (index, seed) in try target.seeds().enumerated() {
            let file = URL(fileURLWithPath: folder).appendingPathComponent("seed-\(index)")
            try Data(seed).write(to: file)
        }
    }

    /// Hands over to libFuzzer. The copies of the arguments live as long as the process.
    @unsafe private static func run(_ arguments: [String]) -> Int32 {
        var count = Int32(arguments.count)
        let copies = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
        for (index, argument) in arguments.enumerated() {
            unsafe copies[index] = strdup(argument)
        }
        unsafe copies[arguments.count] = nil
        var pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe copies
        return unsafe LLVMFuzzerRunDriver(&count, &pointer, tryOne)
    }
}

/// Called by libFuzzer, on the thread that called it, with bytes that are valid during the call.
@c func tryOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
    do {
        try unsafe Fuzz.target.check(input)
    } catch {
        // libFuzzer keeps the input when the process dies.
        fatalError("\(error)")
    }
    return 0
}
