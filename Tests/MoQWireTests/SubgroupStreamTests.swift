// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

/// What a subgroup stream turned out to hold.
struct SubgroupContent: Equatable {
    var header: SubgroupHeader?
    var objects: [ObjectHeader] = []
    var payloads: [[UInt8]] = []

    /// Feeds the bytes in these pieces and keeps what is unread, as the owner of a stream does.
    static func parse(_ pieces: [[UInt8]], _ profile: DraftProfile) throws(MoQWireError) -> SubgroupContent {
        var content = SubgroupContent()
        var parser = SubgroupStreamParser(profile: profile)
        var unread: [UInt8] = []
        for piece in pieces {
            unread += piece
            var open = true
            while open {
                let (event, consumed) = try parser.next(in: unsafe unread.span.bytes)
                switch event {
                case .header(let header):
                    content.header = header
                case .object(let object):
                    content.objects.append(object)
                    content.payloads.append([])
                case .payload(let count, let isLast):
                    content.payloads[content.payloads.count - 1] += unread[..<count]
                    let isComplete = content.payloads.last?.count == Int(content.objects.last?.payloadLength ?? 0)
                    #expect(count == consumed && isLast == isComplete)
                case .needMore:
                    #expect(consumed == 0)
                    open = false
                }
                unread.removeFirst(consumed)
            }
        }
        try parser.finish(unread: unread.count)
        return content
    }
}

/// The error that parsing a whole subgroup stream ends with, if it does.
func subgroupRejection(_ bytes: [UInt8], _ profile: DraftProfile) -> SessionErrorCode? {
    do {
        _ = try SubgroupContent.parse([bytes], profile)
        return nil
    } catch {
        return error.code
    }
}

@Suite("Subgroup streams")
struct SubgroupStreamTests {
    private func headers(_ profile: DraftProfile) -> [SubgroupHeader] {
        var headers: [SubgroupHeader] = []
        for source in [SubgroupIDSource.zero, .firstObject, .explicit(700)] {
            for bits in 0..<16 {
                headers.append(
                    SubgroupHeader(
                        trackAlias: TrackAlias(5),
                        groupID: 1 << 33,
                        subgroupID: source,
                        publisherPriority: bits & 1 == 0 ? nil : 255,
                        hasProperties: bits & 2 != 0,
                        containsEndOfGroup: bits & 4 != 0,
                        isFirstObject: bits & 8 != 0 && profile.version >= .draft18
                    )
                )
            }
        }
        // Draft 14 always states the priority.
        return profile.version >= .draft16 ? headers : headers.filter { $0.publisherPriority != nil }
    }

    private func stream(_ header: SubgroupHeader, _ profile: DraftProfile) throws -> ([UInt8], SubgroupContent) {
        let properties = header.hasProperties ? try MessageSamples.properties(profile) : PropertyList()
        let content = SubgroupContent(
            header: header,
            objects: [
                ObjectHeader(objectID: 3, properties: properties, payloadLength: 5),
                ObjectHeader(objectID: 4, payloadLength: 0),
                ObjectHeader(objectID: 900, payloadLength: 70),
                ObjectHeader(objectID: 901, payloadLength: 0, status: .endOfGroup),
            ],
            payloads: [[1, 2, 3, 4, 5], [], Array(repeating: 7, count: 70), []]
        )
        var encoder = SubgroupStreamEncoder(profile: profile)
        var bytes: [UInt8] = []
        try encoder.encode(header, into: &bytes)
        #expect(bytes.count <= SubgroupStreamEncoder.maximumHeaderLength)
        for (object, payload) in zip(content.objects, content.payloads) {
            try encoder.encode(object, into: &bytes)
            bytes += payload
        }
        return (bytes, content)
    }

    @Test("every kind of header and object survives", arguments: DraftProfile.all)
    func roundTrip(profile: DraftProfile) throws {
        for header in self.headers(profile) {
            let (bytes, content) = try self.stream(header, profile)
            #expect(try SubgroupContent.parse([bytes], profile) == content)
        }
    }

    @Test("it does not matter where a stream is cut", arguments: DraftProfile.all)
    func splits(profile: DraftProfile) throws {
        let header = SubgroupHeader(
            trackAlias: TrackAlias(1 << 20),
            groupID: 77,
            subgroupID: .explicit(1 << 30),
            publisherPriority: 1,
            hasProperties: true
        )
        let (bytes, content) = try self.stream(header, profile)
        for cut in 0...bytes.count {
            #expect(try SubgroupContent.parse([Array(bytes[..<cut]), Array(bytes[cut...])], profile) == content)
        }
        #expect(try SubgroupContent.parse(bytes.map { [$0] }, profile) == content)
    }

    @Test("the bytes are those of the drafts' examples")
    func bytes() throws {
        var encoder = SubgroupStreamEncoder(profile: .draft18)
        var bytes: [UInt8] = []
        try encoder.encode(
            SubgroupHeader(trackAlias: TrackAlias(2), groupID: 0, publisherPriority: 0, isFirstObject: true),
            into: &bytes
        )
        try encoder.encode(ObjectHeader(objectID: 0, payloadLength: 4), into: &bytes)
        bytes += Array("abcd".utf8)
        try encoder.encode(ObjectHeader(objectID: 1, payloadLength: 0, status: .endOfTrack), into: &bytes)
        #expect(bytes == hex("50020000 0004 61626364 00 00 04"))
    }

    @Test("an older draft leaves out that the first object is the first", arguments: [DraftProfile.draft16])
    func firstObject(profile: DraftProfile) throws {
        let header = SubgroupHeader(trackAlias: TrackAlias(0), groupID: 0, isFirstObject: true)
        var bytes: [UInt8] = []
        var encoder = SubgroupStreamEncoder(profile: profile)
        try encoder.encode(header, into: &bytes)
        #expect(bytes == [0x30, 0, 0])
    }

    @Test("a payload beyond any buffer is passed on piece by piece", arguments: DraftProfile.all)
    func hugePayload(profile: DraftProfile) throws {
        var encoder = SubgroupStreamEncoder(profile: profile)
        var bytes: [UInt8] = []
        try encoder.encode(SubgroupHeader(trackAlias: TrackAlias(0), groupID: 0, publisherPriority: 0), into: &bytes)
        try encoder.encode(ObjectHeader(objectID: 0, payloadLength: 1 << 61), into: &bytes)
        var parser = SubgroupStreamParser(profile: profile)
        for _ in 0..<2 {
            let step = try parser.next(in: unsafe bytes.span.bytes)
            bytes.removeFirst(step.consumed)
        }
        let chunk = [UInt8](repeating: 1, count: 1_000)
        for _ in 0..<3 {
            let step = try parser.next(in: unsafe chunk.span.bytes)
            #expect(step.event == .payload(count: 1_000, isLast: false))
        }
        #expect(throws: MoQWireError.self) {
            try parser.finish()
        }
    }

    @Test("properties beyond the limit stop the stream before they are held", arguments: DraftProfile.all)
    func propertiesLimit(profile: DraftProfile) throws {
        var writer = WireWriter(integers: profile.coding.integers)
        for value: UInt64 in [0x11, 0, 0, 0, 0, 101] {
            try writer.write(integer: value)
        }
        var parser = SubgroupStreamParser(profile: profile, propertiesLimit: 100)
        let bytes = writer.bytes
        let (_, consumed) = try parser.next(in: unsafe bytes.span.bytes)
        let rest = Array(bytes[consumed...])
        let error = try #require(throws: MoQWireError.self) {
            try parser.next(in: unsafe rest.span.bytes)
        }
        #expect(error.kind == .limitExceeded)
    }

    @Test("an encoder refuses what would be read as something else", arguments: DraftProfile.all)
    func encoderErrors(profile: DraftProfile) throws {
        var encoder = SubgroupStreamEncoder(profile: profile)
        var bytes: [UInt8] = []
        try encoder.encode(SubgroupHeader(trackAlias: TrackAlias(0), groupID: 0, publisherPriority: 0), into: &bytes)
        try encoder.encode(ObjectHeader(objectID: 5, payloadLength: 1), into: &bytes)
        let before = bytes
        let properties = try MessageSamples.properties(profile)
        let wrong = [
            ObjectHeader(objectID: 5, payloadLength: 1), ObjectHeader(objectID: 4, payloadLength: 1),
            ObjectHeader(objectID: 6, properties: properties, payloadLength: 1),
            ObjectHeader(objectID: 6, payloadLength: 1, status: .endOfGroup),
        ]
        for object in wrong {
            #expect(throws: MoQWireError.self) {
                try encoder.encode(object, into: &bytes)
            }
        }
        #expect(bytes == before)
        try encoder.encode(ObjectHeader(objectID: 6, payloadLength: 1), into: &bytes)
        #expect(Array(bytes[before.count...]) == [0, 1])
    }

    @Test("a stream is recognised by its first bytes, as soon as there are enough", arguments: DraftProfile.all)
    func streamTypes(profile: DraftProfile) throws {
        func type(_ number: UInt64) throws -> UniStreamType? {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(integer: number)
            for count in 0..<writer.bytes.count {
                let part = Array(writer.bytes[..<count])
                #expect(try UniStreamType.decode(unsafe part.span.bytes, in: profile) == nil)
            }
            let bytes = writer.bytes
            return try UniStreamType.decode(unsafe bytes.span.bytes, in: profile)
        }
        #expect(try type(0x05) == .fetch && type(0x10) == .subgroup && type(0x1D) == .subgroup)
        if profile.version >= .draft16 {
            #expect(try type(0x3D) == .subgroup)
        }
        if profile.version >= .draft18 {
            #expect(try type(0x2F00) == .control && type(0x132B_3E28) == .padding && type(0x7D) == .subgroup)
        }
    }
}
