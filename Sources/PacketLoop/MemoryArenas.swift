// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport

/// What the C library keeps memory in.
package enum MemoryArenas {
    /// Blocks of this size come from the system, and go back to it: 128 KiB, where glibc begins. Nothing that is taken and
    /// freed all the time should be as large, since each time costs calls and page faults.
    private static let large = 128 << 10
    /// How much of what is free at the end of the arena stays at hand. A relay's busy moments come again, and between them its
    /// memory would go down and up by megabytes: that costs calls and page faults, and hides whether anything grows.
    static let spare = 32 << 20

    /// Keeps a process that runs for long at the memory that it uses. Call it once, before there are other threads.
    ///
    /// - All threads allocate from one arena. glibc gives them arenas of their own, and each stays as large as its busiest moment
    ///   was. What arrives on one loop and leaves on several makes these moments many and different; in one arena they share
    ///   what is free. In return threads wait for each other when they allocate, but for less than about a kilobyte, of
    ///   which each keeps some.
    /// - Large blocks stay out of it. glibc puts them there too as soon as one of that size was freed; then what is small
    ///   settles between them, and the arena stays as large as the coincidences of its past.
    /// - What is free at the end of the arena goes back when it is more than 32 MiB. glibc begins with 128 KiB, and keeps twice as
    ///   much as the largest block that was freed.
    ///
    /// `MALLOC_ARENA_MAX`, `MALLOC_MMAP_THRESHOLD_` and `MALLOC_TRIM_THRESHOLD_` in the environment are stronger.
    package static func keepSteady() {
        cls_steady_memory(Self.large, Self.spare)
    }

    /// How many large blocks there are outside the arena.
    static var largeBlocks: Int { cls_large_blocks() }
    /// How many bytes the arena has, free ones included.
    static var size: Int { cls_arena_size() }
}
