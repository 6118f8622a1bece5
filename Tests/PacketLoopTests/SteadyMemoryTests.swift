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

    @Test("What was freed stays at hand up to a limit, and goes back beyond it")
    func spare() async {
        await #expect(processExitsWith: .success) {
            MemoryArenas.keepSteady()
            func use(_ count: Int) {
                let size = 64 << 10
                var blocks = (0..<count / size).map { _ in [UInt8](repeating: 1, count: size) }
                blocks.removeAll()
            }
            use(MemoryArenas.spare / 2)
            let before = MemoryArenas.size
            #expect(before >= MemoryArenas.spare / 2)
            use(MemoryArenas.spare / 2)
            #expect(MemoryArenas.size == before)
            use(MemoryArenas.spare * 3)
            #expect(MemoryArenas.size < MemoryArenas.spare * 3 / 2)
        }
    }
}
#endif
