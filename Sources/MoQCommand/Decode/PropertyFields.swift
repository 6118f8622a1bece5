// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// The JSON form of key-value pairs, and the names that the drafts have for them.
enum PropertyFields {
    /// What the properties of an object are called.
    static func objectName(in profile: DraftProfile) -> String {
        switch profile.version {
        case .draft14: "extension_headers"
        case .draft16: "extensions"
        default: "properties"
        }
    }

    /// What the bit is called that says whether objects have properties.
    static func presenceName(in profile: DraftProfile) -> String {
        profile.version < .draft18 ? "extensions_present" : "properties_present"
    }

    /// What the properties of a track are called.
    static func trackName(in profile: DraftProfile) -> String {
        profile.version < .draft18 ? "track_extensions" : "track_properties"
    }

    /// The pairs of a list, whose bytes have been checked.
    static func value(of properties: PropertyList) -> JSONValue {
        self.value(of: (try? properties.pairs()) ?? [])
    }

    /// Pairs in their order.
    static func value(of pairs: [KeyValuePair]) -> JSONValue {
        .array(
            pairs.map { pair in
                var fields = JSONObject()
                fields.add("type", pair.type)
                switch pair.value {
                case .integer(let value): fields.add("value", value)
                case .bytes(let bytes): fields.add("value", .hex(bytes))
                }
                return .object(fields)
            }
        )
    }
}
