// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

package import MoQWire

/// A message, who sends it and where it arrives.
package struct MessageSample: Sendable {
    package var message: MoQMessage
    package var sender: Role
    package var context: StreamContext

    package init(_ message: MoQMessage, from sender: Role, on context: StreamContext) {
        self.message = message
        self.sender = sender
        self.context = context
    }
}
