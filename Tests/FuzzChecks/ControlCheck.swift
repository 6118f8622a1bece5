// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Messages as they may come on any stream.
///
/// An input is the draft, the place with our role in its top bit, a seed for the cuts, and the bytes.
enum ControlCheck {
    /// Where control bytes may come from. The order is part of what kept inputs mean.
    static let places: [StreamContext] =
        [.controlStart, .control, .requestStart]
        + RequestKind.allCases.flatMap { kind -> [StreamContext] in
            [
                .requester(kind), .requester(kind, answering: .requestUpdate), .responder(kind, answering: kind),
                .responder(kind, answering: .requestUpdate), .responder(kind, answering: nil),
            ]
        }

    private enum Outcome {
        case needMore(minimum: Int)
        case message(MoQMessage, consumed: Int)
        case refused(MoQWireError)
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        var input = FuzzInput(bytes)
        let profile = input.draft()
        let place = input.byte()
        var random = FuzzRandom(input.byte())
        let codec = MessageCodec(profile: profile, role: place & 0x80 == 0 ? .server : .client)
        var context = Self.places[Int(place & 0x7F) % Self.places.count]
        var rest = input.rest()
        for _ in 0..<16 {
            let outcome = try Self.decode(rest, codec, context)
            try Self.checkPrefixes(rest, outcome, codec, context, &random)
            guard case .message(let message, let consumed) = outcome else {
                return
            }
            try Self.checkRoundTrip(message, codec, context)
            rest.removeFirst(consumed)
            if context == .controlStart {
                context = .control
            }
        }
    }

    private static func decode(
        _ bytes: [UInt8],
        _ codec: MessageCodec,
        _ context: StreamContext
    ) throws(FuzzFinding) -> Outcome {
        let decoded: MessageCodec.Decoded
        do {
            decoded = try codec.decode(unsafe bytes.span.bytes, on: context)
        } catch {
            try Self.check(error)
            return .refused(error)
        }
        switch decoded {
        case .needMore(let minimum):
            try require(
                minimum > bytes.count && minimum <= MessageCodec.maximumFrameLength,
                "\(bytes.count) bytes are there, and \(minimum) are wanted"
            )
            return .needMore(minimum: minimum)
        case .message(let message, let consumed):
            try require(consumed > 0 && consumed <= bytes.count, "\(consumed) of \(bytes.count) bytes were consumed")
            return .message(message, consumed: consumed)
        }
    }

    /// What a decoder throws is a violation with a code and a reason.
    static func check(_ error: MoQWireError) throws(FuzzFinding) {
        switch error.kind {
        case .violation:
            try require(
                error.code != .noError && error.code != .internalError && !error.reason.isEmpty,
                "a violation without code or reason: \(error)"
            )
        case .limitExceeded:
            try require(!error.reason.isEmpty, "a limit without a reason")
        case .notExpressible:
            throw FuzzFinding("a decoder speaks of what cannot be expressed: \(error)")
        }
    }

    /// However little of a message is there, the judgement is the same or still open.
    private static func checkPrefixes(
        _ bytes: [UInt8],
        _ whole: Outcome,
        _ codec: MessageCodec,
        _ context: StreamContext,
        _ random: inout FuzzRandom
    ) throws(FuzzFinding) {
        let length: Int
        if case .message(_, let consumed) = whole { length = consumed } else { length = bytes.count }
        guard length > 0 else {
            return
        }
        for cut in [length - 1] + (0..<3).map({ _ in Int.random(in: 0..<length, using: &random) }) {
            switch (try Self.decode(Array(bytes.prefix(cut)), codec, context), whole) {
            case (.needMore(let minimum), .message(_, let consumed)):
                try require(minimum <= consumed, "\(minimum) bytes are wanted for a message of \(consumed)")
            case (.needMore(let minimum), .needMore(let later)):
                try require(minimum <= later, "first \(minimum) bytes are wanted, then only \(later)")
            case (.needMore, .refused):
                break
            case (.refused(let early), .refused(let late)):
                try require(early == late, "refused for \(early), and with more bytes for \(late)")
            case (.refused(let early), _):
                throw FuzzFinding("\(cut) bytes are refused for \(early), and more of them are not")
            case (.message, _):
                throw FuzzFinding("\(cut) bytes are a message, although it takes \(length)")
            }
        }
    }

    /// What was understood can be said by the other side, and is then understood in the same way.
    private static func checkRoundTrip(
        _ message: MoQMessage,
        _ codec: MessageCodec,
        _ context: StreamContext
    ) throws(FuzzFinding) {
        let peer = MessageCodec(profile: codec.profile, role: codec.role.peer)
        let again: [UInt8]
        do {
            again = try peer.encode(message)
        } catch {
            // Answered INVALID_RANGE by a session, and never said by us.
            guard !codec.profile.filterEndGroupIsDelta, Self.hasBackwardFilter(message) else {
                throw FuzzFinding("what was decoded cannot be encoded: \(error) (\(message))")
            }
            return
        }
        guard case .message(let second, let consumed) = try Self.decode(again, codec, context) else {
            throw FuzzFinding("what was encoded cannot be decoded: \(message)")
        }
        try require(consumed == again.count, "\(consumed) of the \(again.count) encoded bytes were consumed")
        try require(second == message, "\(message) became \(second)")
        do {
            try require(try peer.encode(second) == again, "the same message was encoded in two ways: \(message)")
        } catch let finding as FuzzFinding {
            throw finding
        } catch {
            throw FuzzFinding("what was encoded once cannot be encoded again: \(error)")
        }
    }

    /// Whether a message asks for a range of groups that ends before it starts.
    private static func hasBackwardFilter(_ message: MoQMessage) -> Bool {
        let filter: SubscriptionFilter?
        switch message {
        case .subscribe(let message): filter = message.parameters.filter
        case .publishOk(let message): filter = message.parameters.filter
        case .requestUpdate(let message): filter = message.parameters.filter
        case .trackStatus(let message): filter = message.parameters.filter
        default: filter = nil
        }
        guard case .absoluteRange(let start, let endGroup) = filter else {
            return false
        }
        return endGroup < start.group
    }
}
