// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// What random input is tried on. FuzzTesting/ makes inputs up, the tests of this package repeat those that are kept.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// Control messages, in every place where a draft has some.
    case control
    /// Subgroup streams.
    case subgroup
    /// Fetch streams.
    case fetch
    /// Datagrams.
    case datagram
    /// Key-value pairs, as in the properties of tracks and objects, and integers.
    case properties
    /// A session whose peer and whose application do what a script says.
    case session

    /// Tries an input and looks at what came of it.
    ///
    /// The first bytes choose the draft and what else there is to choose; every input means something.
    /// - Throws: when something is not as it must be.
    public func check(_ input: [UInt8]) throws(FuzzFinding) {
        switch self {
        case .control: try ControlCheck.run(input)
        case .subgroup: try StreamCheck.run(input, kind: .subgroup)
        case .fetch: try StreamCheck.run(input, kind: .fetch)
        case .datagram: try DatagramCheck.run(input)
        case .properties: try PropertyCheck.run(input)
        case .session: try SessionCheck.run(input)
        }
    }

    /// Inputs that make sense, to begin with: what our encoders write, for every draft.
    public func seeds() throws -> [[UInt8]] {
        switch self {
        case .control: try FuzzSeeds.control()
        case .subgroup: try FuzzSeeds.subgroups()
        case .fetch: try FuzzSeeds.fetches()
        case .datagram: try FuzzSeeds.datagrams()
        case .properties: try FuzzSeeds.properties()
        case .session: try FuzzSeeds.sessions()
        }
    }
}

/// What an input brought to light.
public struct FuzzFinding: Error, CustomStringConvertible {
    /// What is not as it must be.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Takes note that something must hold.
func require(_ condition: Bool, _ description: @autoclosure () -> String) throws(FuzzFinding) {
    guard condition else {
        throw FuzzFinding(description())
    }
}
