// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import Foundation

/// The process of a relay on the same host, looked at from outside through `/proc`.
struct RelayProcess: Sendable {
    /// The fields of `/proc/PID/stat` behind the name, which may contain anything.
    private enum Field {
        static let user = 11
        static let system = 12
        static let start = 19
    }

    private let identifier: Int32
    private let start: String

    /// Finds the process.
    /// - Throws: ``CommandFailure``, naming the option, when there is none or this system does not tell.
    init(_ identifier: Int32) throws(CommandFailure) {
        #if os(Linux)
        self.identifier = identifier
        guard let fields = Self.fields(of: identifier), fields.count > Field.start else {
            throw CommandFailure("--relay-pid \(identifier): there is no such process")
        }
        self.start = fields[Field.start]
        _ = try self.usage()
        #else
        throw CommandFailure("--relay-pid needs Linux, whose /proc tells what a process uses")
        #endif
    }

    /// What the process has used so far. CPU is told in hundredths of a second, usually.
    /// - Throws: ``CommandFailure`` when it has ended.
    func usage() throws(CommandFailure) -> ProcessUsage {
        guard let fields = Self.fields(of: self.identifier), fields.count > Field.start,
            fields[Field.start] == self.start, let user = Double(fields[Field.user]),
            let system = Double(fields[Field.system]), let resident = Self.status(of: "\(self.identifier)")["VmRSS"]
        else {
            throw CommandFailure("--relay-pid \(self.identifier): the process has ended")
        }
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        var usage = ProcessUsage(
            userSeconds: user / ticks,
            systemSeconds: system / ticks,
            residentBytes: resident << 10
        )
        // The counts of the process itself are those of its first thread.
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(self.identifier)/task")) ?? []
        for task in tasks {
            let status = Self.status(of: "\(self.identifier)/task/\(task)")
            usage.voluntarySwitches &+= status["voluntary_ctxt_switches"] ?? 0
            usage.involuntarySwitches &+= status["nonvoluntary_ctxt_switches"] ?? 0
        }
        return usage
    }

    private static func fields(of identifier: Int32) -> [String]? {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else {
            return nil
        }
        return text[text.index(after: name)...].split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// The numbers of a `status` file by their names.
    private static func status(of path: String) -> [String: UInt64] {
        let text = (try? String(contentsOfFile: "/proc/\(path)/status", encoding: .utf8)) ?? ""
        var numbers: [String: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let number = parts[1].split(whereSeparator: \.isWhitespace).first else { continue }
            numbers[String(parts[0])] = UInt64(number)
        }
        return numbers
    }
}
