// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing

/// A command line that must fail: the status it ends with, and what its one line must contain.
struct BadInput: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var status: Int32
    var names: [String]

    var testDescription: String { "moq " + self.arguments.joined(separator: " ") }

    init(_ line: String, _ status: Int32, _ names: String...) {
        self.arguments = line.split(separator: " ").map(String.init)
        self.status = status
        self.names = names
    }

    init(arguments: [String], _ status: Int32, _ names: String...) {
        self.arguments = arguments
        self.status = status
        self.names = names
    }
}
