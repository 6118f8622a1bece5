// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// SETUP (draft-18 §10.3), or CLIENT_SETUP and SERVER_SETUP in the older drafts: the first message of each endpoint.
public struct Setup: Hashable, Sendable {
    /// What the sender says about itself.
    public var options: SetupOptions

    /// Makes the message of its fields.
    public init(options: SetupOptions = SetupOptions()) {
        self.options = options
    }
}
