// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation

/// What kind of build the tests run in.
package enum TestBuild {
    /// Whether assertions are compiled in.
    package static let isDebug: Bool = {
        var isDebug = false
        assert(
            {
                isDebug = true
                return true
            }()
        )
        return isDebug
    }()

    /// How many times as long as usual things may take: sanitizers slow everything down, a process and its end most of
    /// all. 1 in the usual build; `Scripts/with-variant` says how much in others. For bounds on what a wall clock shows.
    package static let patience =
        ProcessInfo.processInfo.environment["MOQINGBIRD_TEST_PATIENCE"].flatMap(Double.init) ?? 1

    /// How many minutes tests may take that usually are given `usual` of them. For time limits.
    package static func minutes(_ usual: Int) -> Int {
        Int((Double(usual) * self.patience).rounded(.up))
    }

    /// Whether what is left in the end is a finding: with the address sanitizer.
    package static let findsLeaks =
        ProcessInfo.processInfo.environment["ASAN_OPTIONS"]?.contains("detect_leaks=1") ?? false

    /// Whether a sanitizer runs along.
    package static var isSanitized: Bool { self.patience > 1 }
}
