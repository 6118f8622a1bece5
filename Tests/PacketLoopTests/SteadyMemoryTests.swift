// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import TestSupport
import Testing

@testable import PacketLoop

@Suite("The memory of a process that runs for long", .disabled(if: TestBuild.isSanitized))
struct SteadyMemoryTests {
    @Test("A large block comes from the system and goes back to it, also after one of its size was freed")
    func largeBlocks() async {
        await #expect(processExitsWith: .success) {
            MemoryArenas.keepSteady()
            for _ in 0..<3 {
                let before = MemoryArenas.largeBlocks
                let block = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 16)
                #expect(MemoryArenas.largeBlocks == before + 1)
                unsafe block.deallocate()
                #expect(MemoryArenas.largeBlocks == before)
            }
        }
    }
}
#endif
