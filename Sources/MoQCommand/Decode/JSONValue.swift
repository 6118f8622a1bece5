// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// A value of JSON, whose objects keep the order of their members.
enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Any integer of 64 bits, written in full.
    case integer(UInt64)
    /// A number with three decimals.
    case decimal(Double)
    case text(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Bytes as hexadecimal text.
    static func hex(_ bytes: [UInt8]) -> JSONValue {
        .text(HexText.string(bytes))
    }

    /// Bytes that are usually text: as text if they are, else `{"hex":"…"}`.
    static func name(_ bytes: [UInt8]) -> JSONValue {
        guard let text = String(validating: bytes, as: UTF8.self), text.unicodeScalars.allSatisfy({ $0.value >= 0x20 })
        else {
            var object = JSONObject()
            object.add("hex", .hex(bytes))
            return .object(object)
        }
        return .text(text)
    }

    /// The value in one line without blanks.
    var rendered: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .decimal(let value): value.isFinite ? Quantity.decimal(value, digits: 3) : "null"
        case .text(let text): Self.quoted(text)
        case .array(let values): "[" + values.map(\.rendered).joined(separator: ",") + "]"
        case .object(let object): object.rendered
        }
    }

    fileprivate static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            // Control characters must be escaped; the line separators would end the line for some readers.
            case "\u{0}"..<" ", "\u{7F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// An object of JSON: members in the order in which they were added.
struct JSONObject: Hashable, Sendable {
    private struct Member: Hashable, Sendable {
        var name: String
        var value: JSONValue
    }

    private var members: [Member] = []

    /// Adds a member, unless there is no value.
    mutating func add(_ name: String, _ value: JSONValue?) {
        if let value {
            self.members.append(Member(name: name, value: value))
        }
    }

    /// Adds a number, unless there is none.
    mutating func add(_ name: String, _ number: UInt64?) {
        self.add(name, number.map { .integer($0) })
    }

    /// Whether there are no members.
    var isEmpty: Bool {
        self.members.isEmpty
    }

    /// The object in one line without blanks.
    var rendered: String {
        "{" + self.members.map { "\(JSONValue.quoted($0.name)):\($0.value.rendered)" }.joined(separator: ",") + "}"
    }
}
