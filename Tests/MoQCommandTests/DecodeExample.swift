// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@testable import MoQCommand

/// Bytes, how the tool is told to take them, and the line that it prints.
struct DecodeExample: Sendable, CustomTestStringConvertible {
    var profile: DraftProfile
    var kind: WireDecoder.Kind
    var text: String
    var name: String
    var fields: String
    var reencoded: String?

    /// Bytes that are written as they were read, unless `reencoded` says otherwise.
    init(
        _ profile: DraftProfile,
        _ kind: WireDecoder.Kind,
        _ text: String,
        _ name: String,
        _ fields: String,
        reencoded: String? = nil
    ) {
        self.profile = profile
        self.kind = kind
        self.text = text
        self.name = name
        self.fields = fields
        self.reencoded = reencoded
    }

    var testDescription: String {
        "\(self.name) of \(self.profile)"
    }

    /// The line that is expected.
    var line: String {
        let again = self.reencoded ?? self.text.filter { $0 != " " }
        return "{\"message\":\"\(self.name)\",\"fields\":\(self.fields),\"reencoded\":\"\(again)\"}"
    }

    static let all: [DecodeExample] = [
        DecodeExample(
            .draft18,
            .request,
            "03 000a 00 01 04 6c697665 01 74 00",
            "SUBSCRIBE",
            #"{"request_id":0,"track_namespace":["live"],"track_name":"t","parameters":{}}"#
        ),
        // A filter whose end is a distance, and a name that is no text.
        DecodeExample(
            .draft18,
            .request,
            "03 0010 02 01 01 61 02 ff00 02 10 00 11 04 04 03 00 09",
            "SUBSCRIBE",
            #"{"request_id":2,"track_namespace":["a"],"track_name":{"hex":"ff00"},"parameters":{"forward":0,"#
                + #""subscription_filter":{"filter_type":4,"start_location":{"group":3,"object":0},"#
                + #""end_group_delta":9}}}"#
        ),
        DecodeExample(
            .draft16,
            .control,
            "04 000b 04 07 02 08 05 01 02 01 02 0e 20",
            "SUBSCRIBE_OK",
            #"{"request_id":4,"track_alias":7,"parameters":{"expires":5,"largest_object":{"group":1,"object":2}},"#
                + #""track_extensions":[{"type":14,"value":32}]}"#
        ),
        DecodeExample(
            .draft16,
            .request,
            "11 0008 02 01 01 61 02 01 10 00",
            "SUBSCRIBE_NAMESPACE",
            #"{"request_id":2,"track_namespace_prefix":["a"],"subscribe_options":2,"parameters":{"forward":0}}"#
        ),
        DecodeExample(
            .draft14,
            .control,
            "03 0011 04 01 02 6e73 01 74 05 02 00 04 01 02 03 01 02 09",
            "SUBSCRIBE",
            #"{"request_id":4,"track_namespace":["ns"],"track_name":"t","subscriber_priority":5,"group_order":2,"#
                + #""forward":0,"filter_type":4,"start_location":{"group":1,"object":2},"end_group":3,"#
                + #""parameters":{"delivery_timeout":9}}"#
        ),
        DecodeExample(
            .draft14,
            .control,
            "04 000a 04 07 08 02 01 01 02 01 04 3c",
            "SUBSCRIBE_OK",
            #"{"request_id":4,"track_alias":7,"expires":8,"group_order":2,"content_exists":1,"#
                + #""largest_location":{"group":1,"object":2},"parameters":{"max_cache_duration":60}}"#
        ),
        DecodeExample(
            .draft14,
            .control,
            "20 0010 01 c0000000ff00000e 02 01 02 2f70 02 10",
            "CLIENT_SETUP",
            #"{"supported_versions":[4278190094],"setup_parameters":{"path":"/p","max_request_id":16}}"#
        ),
        DecodeExample(
            .draft14,
            .control,
            "21 0009 c0000000ff00000e 00",
            "SERVER_SETUP",
            #"{"selected_version":4278190094,"setup_parameters":{}}"#
        ),
        DecodeExample(
            .draft14,
            .control,
            "05 0005 02 04 02 6e6f",
            "SUBSCRIBE_ERROR",
            #"{"request_id":2,"error_code":4,"error_reason":"no"}"#
        ),
        DecodeExample(
            .draft18,
            .uni,
            "50 02 00 00 00 04 61626364 00 00 04",
            "SUBGROUP_HEADER",
            #"{"track_alias":2,"group_id":0,"subgroup_id":0,"publisher_priority":0,"properties_present":false,"#
                + #""contains_end_of_group":false,"first_object":true,"#
                + #""objects":[{"object_id":0,"object_payload":"61626364"},"#
                + #"{"object_id":1,"object_status":4,"object_payload":""}]}"#
        ),
        DecodeExample(
            .draft14,
            .uni,
            "05 06 01 03 02 04 02 0202 02 aabb 01 07 07 04 00 00 01",
            "FETCH_HEADER",
            #"{"request_id":6,"objects":[{"group_id":1,"subgroup_id":3,"object_id":2,"publisher_priority":4,"#
                + #""extension_headers":[{"type":2,"value":2}],"object_payload":"aabb"},"#
                + #"{"group_id":1,"subgroup_id":7,"object_id":7,"publisher_priority":4,"object_status":1,"#
                + #""object_payload":""}]}"#
        ),
        // A gap, and an object that refers to the one before.
        DecodeExample(
            .draft16,
            .uni,
            "05 06 1c 01 02 05 01 aa 408c 01 09 1c 02 00 05 00",
            "FETCH_HEADER",
            #"{"request_id":6,"objects":[{"group_id":1,"subgroup_id":0,"object_id":2,"publisher_priority":5,"#
                + #""object_payload":"aa"},{"end_of_range":"non_existent","group_id":1,"object_id":9},"#
                + #"{"group_id":2,"subgroup_id":0,"object_id":0,"publisher_priority":5,"object_payload":""}]}"#
        ),
        DecodeExample(
            .draft18,
            .uni,
            "f0132b3e28 ff ff",
            "PADDING",
            #"{"padding_length":2}"#,
            reencoded: "f0132b3e280000"
        ),
        DecodeExample(
            .draft16,
            .datagram,
            "04 05 00 80 01",
            "OBJECT_DATAGRAM",
            #"{"track_alias":5,"group_id":0,"object_id":0,"publisher_priority":128,"end_of_group":false,"#
                + #""object_payload":"01"}"#
        ),
        // An object id of 0 that is written although it need not be.
        DecodeExample(
            .draft18,
            .datagram,
            "00 05 01 00 80 aa",
            "OBJECT_DATAGRAM",
            #"{"track_alias":5,"group_id":1,"object_id":0,"publisher_priority":128,"end_of_group":false,"#
                + #""object_payload":"aa"}"#,
            reencoded: "04050180aa"
        ),
        DecodeExample(.draft18, .varint, "8025", "VARINT", #"{"value":37}"#, reencoded: "25"),
        DecodeExample(.draft16, .varint, "4025", "VARINT", #"{"value":37}"#, reencoded: "25"),
        DecodeExample(.draft18, .varint, "ffffffffffffffffff", "VARINT", #"{"value":18446744073709551615}"#),
    ]
}
