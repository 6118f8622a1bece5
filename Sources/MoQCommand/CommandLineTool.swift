// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import Foundation
internal import PacketLoop

/// The `moq` command line as a function: parses arguments, runs the command, turns every error into one line.
public enum CommandLineTool {
    /// Runs the command that the process was started with and exits. Called on the main thread; does not return.
    public static func main() -> Never {
        MemoryArenas.keepSteady()
        // Before any other thread exists: threads inherit the mask, and only the watching thread takes the signals.
        // The main thread is the one that takes the signals. It must not be left to an asynchronous main function or to
        // `dispatchMain()`: both park it with all signals unblocked.
        SignalWatch.process.block()
        Task {
            let status = await self.run(Array(CommandLine.arguments.dropFirst()))
            // What a running loop's thread still holds needs no destructors; output is never buffered.
            _exit(status)
        }
        SignalWatch.process.watch()
    }

    /// Runs the command that `arguments` name and returns the exit status.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try RootCommand.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return self.report(error)
        }
    }

    /// Prints what an error has to say and returns the exit status that belongs to it.
    private static func report(_ error: any Error) -> Int32 {
        if let failure = error as? CommandFailure {
            if !failure.message.isEmpty {
                StandardStreams.complain(failure.message)
            }
            return failure.exitStatus
        }
        let status = RootCommand.exitCode(for: error).rawValue
        if status == 0 {
            // The request for help or for the version travels as an error too.
            return StandardStreams.say(RootCommand.fullMessage(for: error)) ? 0 : 1
        }
        // The first line names the option; the rest of the message repeats the usage, which --help has.
        let message = RootCommand.message(for: error).split(separator: "\n").first.map(String.init) ?? "\(error)"
        StandardStreams.complain(message)
        return status
    }
}
