// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// The bytes that hexadecimal text stands for; blanks are left out.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.filter { $0 != UInt8(ascii: " ") }.compactMap { Int(String(UnicodeScalar($0)), radix: 16) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}

/// A deterministic source of numbers (SplitMix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

extension MessageCodec {
    /// Decodes bytes that an array holds.
    func decode(_ bytes: [UInt8], on context: StreamContext) throws(MoQWireError) -> Decoded {
        try self.decode(unsafe bytes.span.bytes, on: context)
    }

    /// Decodes the one message that fills the bytes; nil when there is more or less than that.
    func message(_ bytes: [UInt8], on context: StreamContext) throws(MoQWireError) -> MoQMessage? {
        guard case .message(let message, let consumed) = try self.decode(bytes, on: context), consumed == bytes.count
        else {
            return nil
        }
        return message
    }
}

/// The error that decoding the bytes ends with, if it does.
func rejection(
    _ bytes: [UInt8],
    _ profile: DraftProfile,
    on context: StreamContext,
    role: Role = .server
) -> SessionErrorCode? {
    do {
        _ = try MessageCodec(profile: profile, role: role).decode(bytes, on: context)
        return nil
    } catch {
        return error.kind == .violation ? error.code : nil
    }
}

/// Puts a type and a length before content, in the coding of the draft.
func frame(_ type: UInt64, _ content: [UInt8], _ profile: DraftProfile) throws -> [UInt8] {
    var writer = WireWriter(integers: profile.coding.integers)
    try writer.write(integer: type)
    writer.write(uint16: UInt16(content.count))
    writer.write(bytes: content)
    return writer.bytes
}

extension DraftProfile {
    /// The drafts that say in parameters and properties what draft 14 has fields for. Its own rules have tests of their own.
    static let withParameters = all.filter { $0.messageForm == .parameters }
}
