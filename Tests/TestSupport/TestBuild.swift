// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

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
}
