// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

/// Standard output, line by line and at once: whoever watches wants to know what a process said before it died.
enum ChaosOutput {
    /// Prints a line.
    static func line(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }
}
