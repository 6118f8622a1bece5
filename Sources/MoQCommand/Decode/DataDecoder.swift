// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQWire

/// Decodes streams and datagrams that carry objects.
struct DataDecoder {
    let profile: DraftProfile
    var groupOrder: GroupOrder = .ascending

    // MARK: Streams

    /// Decodes a whole subgroup stream.
    func subgroup(_ bytes: [UInt8]) throws(MoQWireError) -> DecodedItem {
        var parser = SubgroupStreamParser(profile: self.profile, propertiesLimit: .max)
        var encoder = SubgroupStreamEncoder(profile: self.profile)
        var again = Reencoding()
        var header: SubgroupHeader?
        var objects: [(header: ObjectHeader, payload: [UInt8])] = []
        var offset = 0
        while true {
            let (event, consumed) = try Self.locating(offset) { () throws(MoQWireError) in
                try parser.next(in: unsafe bytes.span.bytes.extracting(offset..<bytes.count))
            }
            switch event {
            case .header(let found):
                header = found
                again.append { bytes throws(MoQWireError) in try encoder.encode(found, into: &bytes) }
            case .object(let object):
                objects.append((object, []))
                again.append { bytes throws(MoQWireError) in try encoder.encode(object, into: &bytes) }
            case .payload:
                let payload = bytes[offset..<(offset + consumed)]
                objects[objects.count - 1].payload += payload
                again.append(payload: payload)
            case .needMore:
                try parser.finish(unread: bytes.count - offset)
                let fields = header.map { self.fields(of: $0, objects) } ?? JSONObject()
                return .decoded(name: "SUBGROUP_HEADER", fields: fields, reencoded: again.bytes)
            }
            offset += consumed
        }
    }

    private func fields(
        of header: SubgroupHeader,
        _ objects: [(header: ObjectHeader, payload: [UInt8])]
    ) -> JSONObject {
        var fields = JSONObject()
        fields.add("track_alias", header.trackAlias.rawValue)
        fields.add("group_id", header.groupID)
        switch header.subgroupID {
        case .zero: fields.add("subgroup_id", 0)
        case .explicit(let id): fields.add("subgroup_id", id)
        case .firstObject: fields.add("subgroup_id", objects.first.map { .integer($0.header.objectID) } ?? .null)
        }
        fields.add("publisher_priority", header.publisherPriority.map { UInt64($0) })
        fields.add(PropertyFields.presenceName(in: self.profile), .bool(header.hasProperties))
        fields.add("contains_end_of_group", .bool(header.containsEndOfGroup))
        if self.profile.version >= .draft18 {
            fields.add("first_object", .bool(header.isFirstObject))
        }
        let list = objects.map { object -> JSONValue in
            var fields = JSONObject()
            fields.add("object_id", object.header.objectID)
            self.add(object.header.properties, object.header.status, object.payload, to: &fields)
            return .object(fields)
        }
        fields.add("objects", .array(list))
        return fields
    }

    /// Decodes a whole fetch stream.
    func fetch(_ bytes: [UInt8]) throws(MoQWireError) -> DecodedItem {
        var parser = FetchStreamParser(profile: self.profile, propertiesLimit: .max)
        parser.groupOrder = self.groupOrder
        var encoder = FetchStreamEncoder(profile: self.profile, groupOrder: self.groupOrder)
        var again = Reencoding()
        var fields = JSONObject()
        var objects: [JSONValue] = []
        // The object whose payload is being read.
        var open: (header: FetchObjectHeader, payload: [UInt8])?
        var offset = 0
        while true {
            let (event, consumed) = try Self.locating(offset) { () throws(MoQWireError) in
                try parser.next(in: unsafe bytes.span.bytes.extracting(offset..<bytes.count))
            }
            switch event {
            case .header(let id):
                fields.add("request_id", id.rawValue)
                again.append { bytes throws(MoQWireError) in try encoder.encode(requestID: id, into: &bytes) }
            case .object(let object):
                again.append { bytes throws(MoQWireError) in try encoder.encode(object, into: &bytes) }
                if object.payloadLength == 0 {
                    objects.append(self.value(of: object, []))
                } else {
                    open = (object, [])
                }
            case .endOfRange(let gap, let location):
                objects.append(.object(Self.fields(of: gap, location)))
                again.append { bytes throws(MoQWireError) in
                    try encoder.encode(endOfRange: gap, at: location, into: &bytes)
                }
            case .payload(_, let isLast):
                let payload = bytes[offset..<(offset + consumed)]
                again.append(payload: payload)
                open?.payload += payload
                if isLast, let object = open {
                    objects.append(self.value(of: object.header, object.payload))
                }
            case .needMore:
                try parser.finish(unread: bytes.count - offset)
                fields.add("objects", .array(objects))
                return .decoded(name: "FETCH_HEADER", fields: fields, reencoded: again.bytes)
            }
            offset += consumed
        }
    }

    private func value(of object: FetchObjectHeader, _ payload: [UInt8]) -> JSONValue {
        var fields = JSONObject()
        fields.add("group_id", object.location.group)
        fields.add("subgroup_id", object.subgroupID)
        fields.add("object_id", object.location.object)
        fields.add("publisher_priority", UInt64(object.publisherPriority))
        let status = self.profile.data.fetchObjectsAreComplete ? object.status : nil
        self.add(object.properties, status, payload, to: &fields)
        return .object(fields)
    }

    private static func fields(of gap: FetchGap, _ location: Location) -> JSONObject {
        var fields = JSONObject()
        fields.add("end_of_range", .text(gap == .nonExistent ? "non_existent" : "unknown"))
        fields.add("group_id", location.group)
        fields.add("object_id", location.object)
        return fields
    }

    /// Decodes a stream or a datagram of padding: its type, and zeros.
    func padding(_ bytes: [UInt8]) throws(MoQWireError) -> DecodedItem {
        var reader = unsafe WireReader(bytes.span.bytes, integers: self.profile.coding.integers)
        let type = try reader.readInteger()
        var writer = WireWriter(integers: self.profile.coding.integers)
        try writer.write(integer: type)
        writer.write(bytes: [UInt8](repeating: 0, count: reader.remaining))
        var fields = JSONObject()
        fields.add("padding_length", UInt64(reader.remaining))
        return .decoded(name: "PADDING", fields: fields, reencoded: writer.bytes)
    }

    // MARK: Datagrams

    /// Decodes one datagram.
    func datagram(_ bytes: [UInt8]) throws(MoQWireError) -> DecodedItem {
        let codec = DatagramCodec(profile: self.profile)
        switch try codec.decode(unsafe bytes.span.bytes) {
        case .padding:
            return try self.padding(bytes)
        case .object(let datagram, let payloadOffset):
            let payload = Array(bytes[payloadOffset...])
            var again = Reencoding()
            again.append { bytes throws(MoQWireError) in try codec.encode(datagram, into: &bytes) }
            again.append(payload: payload)
            var fields = JSONObject()
            fields.add("track_alias", datagram.trackAlias.rawValue)
            fields.add("group_id", datagram.groupID)
            fields.add("object_id", datagram.objectID)
            fields.add("publisher_priority", datagram.publisherPriority.map { UInt64($0) })
            fields.add("end_of_group", .bool(datagram.endsGroup))
            self.add(datagram.properties, datagram.status, payload, to: &fields)
            return .decoded(name: "OBJECT_DATAGRAM", fields: fields, reencoded: again.bytes)
        }
    }

    // MARK: Parts

    /// Adds what objects have everywhere. A status is there only where there is no payload.
    private func add(
        _ properties: PropertyList,
        _ status: ObjectStatus?,
        _ payload: [UInt8],
        to fields: inout JSONObject
    ) {
        if !properties.isEmpty {
            fields.add(PropertyFields.objectName(in: self.profile), PropertyFields.value(of: properties))
        }
        if payload.isEmpty, let status {
            fields.add("object_status", UInt64(status.rawValue))
        }
        fields.add("object_payload", .hex(payload))
    }

    /// Adds to the reason of a violation where in the stream the part begins that it is about.
    private static func locating<Result>(
        _ offset: Int,
        _ body: () throws(MoQWireError) -> Result
    ) throws(MoQWireError) -> Result {
        do throws(MoQWireError) {
            return try body()
        } catch {
            var located = error
            located.reason += " (in what begins at byte \(offset))"
            throw located
        }
    }
}
