// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import Testing

@Suite("Locked values")
struct LockedTests {
    private struct Refused: Error, Equatable {
        var seen: Int
    }

    private final class Shared: Sendable {
        let pair = Locked((first: 0, second: 0))
    }

    @Test("Turns of many threads neither overlap nor get lost")
    func turns() async {
        let shared = Shared()
        let wasTorn = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var wasTorn = false
                    for _ in 0..<10_000 {
                        shared.pair.withLock { pair in
                            wasTorn = wasTorn || pair.first != pair.second
                            pair.first += 1
                            pair.second += 1
                        }
                    }
                    return wasTorn
                }
            }
            return await group.reduce(false) { $0 || $1 }
        }
        #expect(!wasTorn)
        #expect(shared.pair.withLock { $0.first } == 40_000)
    }

    @Test("What a turn throws comes out, and the next turn finds what it left behind")
    func throwing() {
        let value = Locked(1)
        #expect(throws: Refused(seen: 1)) {
            try value.withLock { value throws(Refused) in
                defer { value = 2 }
                throw Refused(seen: value)
            }
        }
        #expect(value.withLock { $0 } == 2)
    }
}
