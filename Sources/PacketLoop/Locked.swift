// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport
import Synchronization

/// A value that threads take turns with: `Mutex`, visible to the thread sanitizer.
///
/// The sanitizer does not see inside the standard library's `Mutex` and would report correct code. Here it is told
/// where a turn begins and ends; in other builds that is an empty call. `Mutex` itself is not used in this package.
package struct Locked<Value: ~Copyable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>

    /// Puts a value behind a lock.
    package init(_ value: consuming sending Value) {
        self.mutex = Mutex(value)
    }

    /// Calls `body` with the value while nobody else can look at it. Callable from any thread, not from inside another
    /// `withLock` of the same lock.
    /// - Throws: what `body` throws.
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try self.mutex.withLock { value throws(Failure) -> sending Result in
            // Told by the address of the lock, which never moves: to take the value's would be an access to it already.
            unsafe withUnsafePointer(to: self.mutex) { unsafe cls_turn_begins(UnsafeMutableRawPointer(mutating: $0)) }
            defer {
                unsafe withUnsafePointer(to: self.mutex) { unsafe cls_turn_ends(UnsafeMutableRawPointer(mutating: $0)) }
            }
            return try body(&value)
        }
    }
}
