// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The datagrams of one side: what it sends and what it gets.
///
///     key of the sender (8 bytes) │ number (8 bytes) │ length (4 bytes) │ pattern …
struct DatagramLedger {
    /// What is wrong with a datagram.
    struct Complaint: Error {
        var text: String
    }

    static let overhead = 20

    /// How many the session took.
    var accepted = 0
    /// How many came.
    var received: Int { self.seen.count }
    private var made: UInt64 = 0
    private var seen: Set<UInt64> = []

    /// Makes the next one, of at least the overhead's size.
    mutating func next(key: UInt64, count: Int) -> [UInt8] {
        self.made += 1
        let count = max(count, Self.overhead)
        let size = StreamPattern.word(UInt64(count)).prefix(4)
        let rest = StreamPattern.bytes(
            count - Self.overhead,
            from: 0,
            phase: StreamPattern.phase(key: key, stream: self.made)
        )
        return StreamPattern.word(key) + StreamPattern.word(self.made) + size + rest
    }

    /// Checks one that came, and says whose it is.
    mutating func receive(_ bytes: [UInt8]) -> Result<UInt64, Complaint> {
        guard bytes.count >= Self.overhead else {
            return .failure(Complaint(text: "a datagram of \(bytes.count) bytes, smaller than any that was sent"))
        }
        let key = StreamPattern.value(bytes[0..<8])
        let number = StreamPattern.value(bytes[8..<16])
        let count = StreamPattern.value(bytes[16..<20])
        guard count == UInt64(bytes.count) else {
            return .failure(Complaint(text: "datagram \(number) has \(bytes.count) bytes instead of \(count)"))
        }
        let phase = StreamPattern.phase(key: key, stream: number)
        guard StreamPattern.matching(bytes[Self.overhead...], from: 0, phase: phase) == bytes.count - Self.overhead
        else {
            return .failure(Complaint(text: "datagram \(number) has other bytes than were sent"))
        }
        guard self.seen.insert(number).inserted else {
            return .failure(Complaint(text: "datagram \(number) came twice"))
        }
        return .success(key)
    }
}
