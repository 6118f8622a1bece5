// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

/// The program `chaos`.
package enum ChaosCommand {
    /// Reads the command line, runs, and ends the process: 0 when every invariant held, 1 when not, 64 for a command line
    /// that makes no sense.
    package static func main() async {
        if CommandLine.arguments.dropFirst().first == ChildServer.argument { exit(await ChildServer.run()) }
        let options: ChaosOptions
        do {
            options = try ChaosOptions(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("chaos: \(error)\n\(ChaosOptions.usage)".utf8))
            exit(64)
        }
        if options.wantsHelp {
            print(ChaosOptions.usage, terminator: "")
            exit(0)
        }
        if options.isWorker {
            exit(await ChaosRun(options).run() ? 0 : 1)
        }
        exit(Supervisor(options).run())
    }
}
