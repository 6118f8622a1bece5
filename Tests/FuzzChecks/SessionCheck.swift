// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire

/// A session over a simulated link in virtual time. Its peer and its application do what a script says, right or wrong.
///
/// An input is the draft, options, and steps; ``SessionWorld`` says what steps there are.
enum SessionCheck {
    /// More steps than these tell nothing new.
    private static let maximumSteps = 48

    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        var input = FuzzInput(bytes)
        let profile = input.draft()
        let world = SessionWorld(profile, options: input.byte())
        for _ in 0..<Self.maximumSteps where !input.isAtEnd {
            world.step(&input)
        }
        world.conclude()
        if let finding = world.findings.first {
            throw FuzzFinding(finding)
        }
    }
}

/// What was found wrong while a script ran.
final class SessionFindings {
    private(set) var first: String?

    func add(_ description: @autoclosure () -> String) {
        if self.first == nil {
            self.first = description()
        }
    }

    func expect(_ condition: Bool, _ description: @autoclosure () -> String) {
        if !condition {
            self.add(description())
        }
    }
}
