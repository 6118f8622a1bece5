// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Carries a value that belongs to a loop through code that does not run there.
///
/// Anybody may hold and copy a `LoopBound`; only the loop may look inside. This is the one way to keep a reference to
/// something loop-confined in an actor, a task or another thread's data. When the last copy goes away elsewhere, the
/// value is sent back to be released on the loop (after the loop has stopped it is released where it is).
public struct LoopBound<Value>: @unchecked Sendable {
    // Unchecked because the box's content is reached only on the loop's thread: the getter verifies it.
    private let box: Box

    /// The loop that owns the value.
    public let loop: PacketLoop

    /// Wraps a value that belongs to `loop`. Precondition: called on the loop.
    public init(_ value: Value, on loop: PacketLoop) {
        loop.preconditionOnLoop()
        self.box = Box(value, loop: loop)
        self.loop = loop
    }

    /// The value. Precondition: read on the loop.
    public var value: Value {
        self.loop.preconditionOnLoop()
        return self.box.value
    }

    private final class Box {
        /// Nil only while the box is going away.
        private var content: Value?
        let loop: PacketLoop

        init(_ value: Value, loop: PacketLoop) {
            self.content = value
            self.loop = loop
        }

        var value: Value {
            guard let value = self.content else {
                preconditionFailure("a value was read while its last holder went away")
            }
            return value
        }

        deinit {
            guard !self.loop.isOnLoop else {
                return
            }
            // From here on the parcel alone holds the value, so that its release on the loop is the last one.
            let parcel = Parcel(self.content.take())
            self.loop.settle { parcel.release() }
        }
    }

    /// Takes the value home. Unchecked because nobody but the loop touches the content.
    private final class Parcel: @unchecked Sendable {
        private var value: Value?

        init(_ value: consuming Value?) {
            self.value = value
        }

        func release() {
            self.value = nil
        }
    }
}
