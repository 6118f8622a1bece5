// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Bytes that differ from place to place and from seed to seed.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    // In blocks of a number, which tells them apart, and of noise that they share: builds that check much take seconds for
    // megabytes of it.
    let noise = (0..<min(count, 4_093)).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + noise.count + 4)
    var block: UInt32 = 0
    while bytes.count < count {
        bytes.append(contentsOf: noise)
        block &+= 1
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: block >> shift))
        }
    }
    return Array(bytes.prefix(count))
}
