// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

extension Role {
    /// For tests of what holds on either side.
    static let both: [Role] = [.client, .server]
}
