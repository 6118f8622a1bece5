// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Bytes", .timeLimit(.minutes(1)))
struct BytesTests {
    @Test("slices share content and compare by it")
    func slices() {
        let bytes = Bytes([1, 2, 3, 4, 5])
        #expect(bytes.count == 5)
        #expect(bytes.slice(1..<4) == [2, 3, 4])
        #expect(bytes.slice(1..<4).slice(1..<2) == [3])
        #expect(bytes.prefix(2) == [1, 2])
        #expect(bytes.prefix(9) == bytes)
        #expect(bytes.dropFirst(3) == [4, 5])
        #expect(bytes.dropFirst(9).isEmpty)
        #expect(bytes.slice(2..<2).isEmpty)
        #expect(bytes[4] == 5)
        #expect(bytes != [1, 2, 3, 4, 6])
        #expect(Set([bytes, Bytes([1, 2, 3, 4, 5])]).count == 1)
    }

    @Test("an initialiser may write less than it asked room for")
    func initializing() {
        let bytes = Bytes(capacity: 100) { output in
            for byte in UInt8(0)..<10 { output.append(byte) }
        }
        #expect(bytes.array == Array(0..<10))
        #expect(Bytes(capacity: 0) { _ in }.isEmpty)
    }

    @Test("an initialiser's error passes through")
    func throwing() {
        #expect(throws: WebTransportError.self) {
            try Bytes(capacity: 8) { _ throws(WebTransportError) in
                throw WebTransportError(.invalidState, "no")
            }
        }
    }

    @Test("nothing is nothing")
    func empty() {
        #expect(Bytes().isEmpty)
        #expect(Bytes([]) == Bytes())
        #expect(Bytes().span.byteCount == 0)
        #expect(Bytes().array == [])
        #expect(Bytes(utf8: "").slice(0..<0) == [])
    }

    @Test("the description shows the first bytes")
    func description() {
        #expect(Bytes([0, 15, 255]).description == "3 bytes: 000fff")
        #expect(Bytes([UInt8](repeating: 1, count: 40)).description.hasSuffix("01..."))
    }

    @Test("a slice outside of its bytes is a mistake of the caller")
    func outOfBounds() async {
        await #expect(processExitsWith: .failure) {
            _ = Bytes([1, 2]).slice(1..<3)
        }
    }
}
