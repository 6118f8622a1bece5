// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WebTransport

/// One object in the relay's memory, possibly still arriving. (loop)
///
/// The payload is kept by reference, in the parts in which it arrived, which are those that the subscribers' queues hold. Parts
/// that share their memory are one; where there are still too many they are joined.
final class CachedObject {
    /// The longest payload that is remembered. What is longer is forwarded live, and not known afterwards.
    static let maximumPayload: UInt64 = 16 << 20
    /// How much an object counts besides its payload.
    static let overhead = 256

    /// How many parts an object of this length is kept in at most. Beyond it they are made one: each part costs memory of its
    /// own, and who sends decides how small they are.
    static func maximumParts(ofLength length: UInt64) -> Int {
        4 + Int(clamping: length / 512)
    }

    /// How far an object is.
    enum State {
        /// Parts are missing.
        case arriving
        /// All of it is there.
        case complete
        /// The rest will not come.
        case abandoned
    }

    /// Location, subgroup, priority, properties and length.
    let header: FetchObjectHeader
    /// When it began to arrive, in microseconds of the loop's clock.
    let arrival: UInt64
    /// The first part that arrived, and those after it: most objects have one, and then there is no memory for an array.
    private var firstPart: Bytes?
    private var otherParts: [Bytes] = []
    private(set) var state: State
    /// How many bytes of it are.
    private(set) var missing: UInt64
    private var waiters: [(waiter: ObjectIdentifier, body: () -> Void)] = []

    /// Begins an object.
    init(_ header: FetchObjectHeader, arrival: UInt64) {
        self.header = header
        self.arrival = arrival
        self.missing = header.payloadLength
        self.state = header.payloadLength == 0 ? .complete : .arriving
    }

    /// Where the object is.
    var location: Location {
        self.header.location
    }

    /// How much the object counts when it is complete, whether or not it is.
    var cost: Int {
        Self.overhead + self.header.properties.bytes.count + Int(clamping: self.header.payloadLength)
    }

    /// The parts that arrived.
    var parts: [Bytes] {
        self.firstPart.map { [$0] + self.otherParts } ?? []
    }

    /// Takes the next part in. What exceeds the length is not taken.
    func append(_ part: Bytes) {
        guard self.state == .arriving, UInt64(part.count) <= self.missing else {
            return
        }
        if self.missing == self.header.payloadLength {
            self.firstPart = part
        } else if !self.extendLastPart(by: part) {
            self.joinTooManyParts()
            self.otherParts.append(part)
        }
        self.missing -= UInt64(part.count)
        if self.missing == 0 {
            self.settle(.complete)
        }
    }

    private func extendLastPart(by part: Bytes) -> Bool {
        if self.otherParts.isEmpty {
            return self.firstPart?.extend(by: part) ?? false
        }
        return self.otherParts[self.otherParts.count - 1].extend(by: part)
    }

    private func joinTooManyParts() {
        guard 1 + self.otherParts.count >= Self.maximumParts(ofLength: self.header.payloadLength) else {
            return
        }
        let parts = self.parts
        var whole: [UInt8] = []
        whole.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for part in parts {
            part.append(to: &whole)
        }
        self.firstPart = Bytes(whole)
        self.otherParts = []
    }

    /// Nothing more will come. Does nothing when the object is complete.
    func abandon() {
        if self.state == .arriving {
            self.settle(.abandoned)
        }
    }

    /// Calls `body` once, when the object is not arriving any more, unless `waiter` stops waiting before.
    func whenSettled(for waiter: AnyObject, _ body: @escaping () -> Void) {
        guard self.state == .arriving else {
            body()
            return
        }
        self.waiters.append((ObjectIdentifier(waiter), body))
    }

    /// Calls nobody for `waiter` any more: an object can keep arriving for as long as its publisher likes, and however many
    /// wait for it meanwhile, those that are gone must not stay.
    func stopWaiting(_ waiter: AnyObject) {
        self.waiters.removeAll { $0.waiter == ObjectIdentifier(waiter) }
    }

    /// Whether somebody waits for the object.
    var isAwaited: Bool {
        !self.waiters.isEmpty
    }

    private func settle(_ state: State) {
        self.state = state
        guard !self.waiters.isEmpty else {
            return
        }
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters {
            waiter.body()
        }
    }
}
