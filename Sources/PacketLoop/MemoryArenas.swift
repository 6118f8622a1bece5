// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport

/// What the C library keeps memory in.
package enum MemoryArenas {
    /// Has all threads allocate from one arena. Call it once, before there are other threads.
    ///
    /// glibc gives threads arenas of their own, and each stays as large as its busiest moment was. What arrives on one loop and
    /// leaves on several makes these moments many and different; in one arena they share what is free. In return threads wait
    /// for each other when they allocate, but for less than about a kilobyte, of which each keeps some. `MALLOC_ARENA_MAX` in
    /// the environment is stronger.
    package static func shareAmongThreads() {
        cls_share_arena()
    }
}
