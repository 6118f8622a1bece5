// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

/// The error that decoding a datagram ends with, if it does.
func datagramRejection(_ bytes: [UInt8], _ profile: DraftProfile) -> SessionErrorCode? {
    do {
        _ = try DatagramCodec(profile: profile).decode(unsafe bytes.span.bytes)
        return nil
    } catch {
        return error.code
    }
}

@Suite("Datagrams")
struct DatagramTests {
    private func samples(_ profile: DraftProfile) throws -> [ObjectDatagram] {
        var samples: [ObjectDatagram] = []
        for objectID: UInt64 in [0, 1 << 40] {
            for priority: UInt8? in profile.version >= .draft16 ? [nil, 0] : [0] {
                for properties in [PropertyList(), try MessageSamples.properties(profile)] {
                    for endsGroup in [false, true] {
                        samples.append(
                            ObjectDatagram(
                                trackAlias: TrackAlias(1 << 15),
                                groupID: 12,
                                objectID: objectID,
                                publisherPriority: priority,
                                properties: properties,
                                endsGroup: endsGroup
                            )
                        )
                    }
                }
                samples.append(
                    ObjectDatagram(
                        trackAlias: TrackAlias(0),
                        groupID: 0,
                        objectID: objectID,
                        publisherPriority: priority,
                        status: .endOfTrack
                    )
                )
            }
        }
        return samples
    }

    @Test(
        "every kind of datagram survives, and its payload starts where the header ends",
        arguments: DraftProfile.all
    )
    func roundTrip(profile: DraftProfile) throws {
        let codec = DatagramCodec(profile: profile)
        for sample in try self.samples(profile) {
            var bytes: [UInt8] = []
            try codec.encode(sample, into: &bytes)
            let offset = bytes.count
            if sample.status == .normal {
                bytes += [1, 2, 3]
            }
            #expect(try codec.decode(unsafe bytes.span.bytes) == .object(sample, payloadOffset: offset))
        }
    }

    @Test("a header is written with another alias and priority as if it had them", arguments: DraftProfile.all)
    func overridden(profile: DraftProfile) throws {
        let codec = DatagramCodec(profile: profile)
        for sample in try self.samples(profile) {
            var changed = sample
            changed.trackAlias = TrackAlias(77)
            changed.publisherPriority = 9
            var expected: [UInt8] = []
            try codec.encode(changed, into: &expected)
            var bytes: [UInt8] = []
            try codec.encode(sample, trackAlias: TrackAlias(77), publisherPriority: 9, into: &bytes)
            #expect(bytes == expected)
        }
    }

    @Test("D11: a datagram that ends within its header is refused", arguments: DraftProfile.all)
    func truncated(profile: DraftProfile) throws {
        let codec = DatagramCodec(profile: profile)
        for sample in try self.samples(profile) {
            var bytes: [UInt8] = []
            try codec.encode(sample, into: &bytes)
            for count in 0..<bytes.count {
                #expect(datagramRejection(Array(bytes[..<count]), profile) == .protocolViolation)
            }
        }
    }

    @Test("D9: types that no datagram has are refused", arguments: DraftProfile.withParameters)
    func types(profile: DraftProfile) throws {
        let valid = Set((0x00...0x0F) + [0x20, 0x21, 0x24, 0x25, 0x28, 0x29, 0x2C, 0x2D])
        for type in 0..<256 {
            var writer = WireWriter(integers: profile.coding.integers)
            try writer.write(integer: UInt64(type))
            // Enough for any header: small numbers, and one property where properties are.
            writer.write(bytes: [1, 1])
            if type & 0x04 == 0 {
                writer.write(byte: 1)
            }
            if type & 0x08 == 0 {
                writer.write(byte: 1)
            }
            if type & 0x01 != 0 {
                writer.write(bytes: [2, 2, 2])
            }
            if type & 0x20 != 0 {
                writer.write(byte: 0)
            }
            #expect((datagramRejection(writer.bytes, profile) == nil) == valid.contains(type), "type \(type)")
        }
    }

    /// A datagram of object 0 up to its properties, which follow.
    private func start(_ profile: DraftProfile) -> [UInt8] {
        profile.version >= .draft16 ? [0x0D, 1, 1] : [0x05, 1, 1, 0]
    }

    @Test("D10: the bit for properties without properties is refused", arguments: DraftProfile.all)
    func emptyProperties(profile: DraftProfile) {
        #expect(datagramRejection(self.start(profile) + [0, 9], profile) == .protocolViolation)
        #expect(datagramRejection(self.start(profile) + [2, 2, 2, 9], profile) == nil)
    }

    @Test("D5: a status other than normal rules out properties", arguments: DraftProfile.withParameters)
    func statusWithProperties(profile: DraftProfile) {
        #expect(datagramRejection([0x2D, 1, 1, 2, 2, 2, 3], profile) == .protocolViolation)
        #expect(datagramRejection([0x2D, 1, 1, 2, 2, 2, 0], profile) == nil)
    }

    @Test("D4: an unknown status is refused", arguments: DraftProfile.withParameters)
    func unknownStatus(profile: DraftProfile) {
        for status: UInt8 in 0..<64 {
            let expected: SessionErrorCode? = [0, 3, 4].contains(status) ? nil : .protocolViolation
            #expect(datagramRejection([0x2C, 1, 1, status], profile) == expected)
        }
    }

    @Test("D7: properties that do not fill their length are refused", arguments: DraftProfile.all)
    func brokenProperties(profile: DraftProfile) {
        #expect(datagramRejection(self.start(profile) + [1, 2, 2], profile) == .protocolViolation)
        #expect(datagramRejection(self.start(profile) + [3, 1, 2, 0, 0], profile) == .protocolViolation)
    }

    @Test("padding is recognised from draft 18 on")
    func padding() throws {
        var writer = WireWriter(integers: .vi64)
        try writer.write(integer: 0x132B_3E29)
        writer.write(bytes: [0, 0, 0])
        let bytes = writer.bytes
        #expect(try DatagramCodec(profile: .draft18).decode(unsafe bytes.span.bytes) == .padding)
        #expect(datagramRejection(bytes, .draft16) == .protocolViolation)
    }

    @Test("a status rules out what only a normal object can have", arguments: DraftProfile.all)
    func encoderErrors(profile: DraftProfile) throws {
        let codec = DatagramCodec(profile: profile)
        var bytes: [UInt8] = []
        var datagram = ObjectDatagram(trackAlias: TrackAlias(0), groupID: 0, objectID: 0, status: .endOfGroup)
        datagram.endsGroup = true
        #expect(throws: MoQWireError.self) {
            try codec.encode(datagram, into: &bytes)
        }
        datagram.endsGroup = false
        datagram.publisherPriority = 0
        if profile.version == .draft14 {
            datagram.status = .doesNotExist
        }
        datagram.properties = try MessageSamples.properties(profile)
        #expect(throws: MoQWireError.self) {
            try codec.encode(datagram, into: &bytes)
        }
        #expect(bytes.isEmpty)
    }
}
