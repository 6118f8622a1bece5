// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CLoopSupport

/// What the C library keeps memory in.
package enum MemoryArenas {
    /// Blocks of this size come from the system, and go back to it.
    private static let large = 128 << 10
    /// How much that is free at the end of the arena is kept for the next busy moment. A relay that moves gigabits takes
    /// and frees megabytes within milliseconds; to ask the system for them each time costs a tenth of its CPU.
    private static let spare = 32 << 20

    /// Keeps a process that runs for long at the memory that it uses. Call it once, before there are other threads.
    ///
    /// - All threads allocate from one arena. glibc gives them arenas of their own, and each stays as large as its busiest moment
    ///   was. What arrives on one loop and leaves on several makes these moments many and different; in one arena they share
    ///   what is free. In return threads wait for each other when they allocate, but for less than about a kilobyte, of
    ///   which each keeps some.
    /// - Large blocks stay out of it. glibc puts them there too as soon as one of that size was freed; then what is small
    ///   settles between them, and the arena stays as large as the coincidences of its past.
    ///
    /// `MALLOC_ARENA_MAX`, `MALLOC_MMAP_THRESHOLD_` and `MALLOC_TRIM_THRESHOLD_` in the environment are stronger.
    package static func keepSteady() {
        cls_steady_memory(Self.large, Self.spare)
    }

    /// How many large blocks there are outside the arena.
    static var largeBlocks: Int { cls_large_blocks() }
}
