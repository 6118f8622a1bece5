// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import WireSamples

/// Inputs that make sense, from our encoders.
enum FuzzSeeds {
    /// Every draft with the byte that chooses it.
    private static var drafts: [(UInt8, DraftProfile)] {
        FuzzInput.drafts.enumerated().map { (UInt8($0.offset), $0.element) }
    }

    static func control() throws -> [[UInt8]] {
        try self.drafts.flatMap { index, profile in
            try MessageSamples.all(profile).compactMap { sample -> [UInt8]? in
                guard let place = ControlCheck.places.firstIndex(of: sample.context) else {
                    return nil
                }
                let role: UInt8 = sample.sender == .client ? 0 : 0x80
                let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
                return [index, UInt8(place) | role, 1] + bytes
            }
        }
    }

    static func subgroups() throws -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        for (index, profile) in self.drafts {
            for id in [SubgroupIDSource.zero, .firstObject, .explicit(70)] {
                for hasProperties in [false, true] {
                    var bytes: [UInt8] = [index, hasProperties ? 1 : 0, 2]
                    var encoder = SubgroupStreamEncoder(profile: profile)
                    let header = SubgroupHeader(
                        trackAlias: TrackAlias(300),
                        groupID: 5,
                        subgroupID: id,
                        publisherPriority: 128,
                        hasProperties: hasProperties,
                        containsEndOfGroup: hasProperties
                    )
                    try encoder.encode(header, into: &bytes)
                    var object = ObjectHeader(objectID: 0, payloadLength: 3)
                    if hasProperties {
                        object.properties = try self.someProperties(profile)
                    }
                    try encoder.encode(object, into: &bytes)
                    bytes += [1, 2, 3]
                    try encoder.encode(ObjectHeader(objectID: 9, payloadLength: 0), into: &bytes)
                    try encoder.encode(ObjectHeader(objectID: 10, payloadLength: 0, status: .endOfGroup), into: &bytes)
                    seeds.append(bytes)
                }
            }
        }
        return seeds
    }

    static func fetches() throws -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        for (index, profile) in self.drafts {
            for order in [GroupOrder.ascending, .descending] {
                var bytes: [UInt8] = [index, order == .ascending ? 0 : 2, 3]
                var encoder = FetchStreamEncoder(profile: profile, groupOrder: order)
                try encoder.encode(requestID: RequestID(4), into: &bytes)
                let groups: [UInt64] = order == .ascending ? [1, 2, 9] : [9, 2, 1]
                for group in groups {
                    for object: UInt64 in [0, 1, 5] {
                        let header = FetchObjectHeader(
                            location: Location(group: group, object: object),
                            subgroupID: object,
                            publisherPriority: UInt8(group),
                            properties: object == 5 ? try self.someProperties(profile) : PropertyList(),
                            payloadLength: object
                        )
                        try encoder.encode(header, into: &bytes)
                        bytes += [UInt8](repeating: 9, count: Int(object))
                    }
                    if !profile.data.fetchObjectsAreComplete {
                        try encoder.encode(
                            endOfRange: .nonExistent,
                            at: Location(group: group, object: 70),
                            into: &bytes
                        )
                    }
                }
                seeds.append(bytes)
            }
        }
        return seeds
    }

    static func datagrams() throws -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        for (index, profile) in self.drafts {
            let codec = DatagramCodec(profile: profile)
            for object: UInt64 in [0, 3] {
                var datagram = ObjectDatagram(trackAlias: TrackAlias(2), groupID: 4, objectID: object)
                datagram.publisherPriority = 7
                var bytes: [UInt8] = [index]
                try codec.encode(datagram, into: &bytes)
                seeds.append(bytes + [1, 2, 3])
                datagram.properties = try self.someProperties(profile)
                bytes = [index]
                try codec.encode(datagram, into: &bytes)
                seeds.append(bytes + [1])
                datagram.properties = PropertyList()
                datagram.status = .endOfGroup
                bytes = [index]
                try codec.encode(datagram, into: &bytes)
                seeds.append(bytes)
            }
        }
        return seeds
    }

    static func properties() throws -> [[UInt8]] {
        try self.drafts.flatMap { index, profile in
            [
                [index] + (try MessageSamples.properties(profile).bytes),
                [index] + (try self.someProperties(profile).bytes),
            ]
        }
    }

    /// Each step once, alone and after a subscription of either side, and each request with each answer.
    static func sessions() throws -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        for (index, _) in self.drafts {
            for role: UInt8 in [0, SessionWorld.Options.peerIsServer] {
                for step: UInt8 in 0..<27 {
                    seeds.append([index, role, 18, 1, 0, 0, 0, step, 4, 1, 2, 3, 4])
                    seeds.append([index, role | SessionWorld.Options.answersLater, 2, 0, 1, 2, step, 3, 1, 0, 1, 23, 2])
                }
                for request: UInt8 in 0..<10 {
                    seeds.append([index, role, 2, request, 1, 2, 24, 0, 2, 9, 1, 2, 7, 0, 1])
                }
                for answer: UInt8 in 0..<10 {
                    seeds.append([
                        index, role, 18, 1, 0, 0, 0, 16, answer, 1, 0, 0, 10, 8, 1, 1, 2, 4, 4, 16, 5, 1, 0, 0,
                    ])
                    seeds.append([index, role, 19, 0, 0, 0, 0, 0, 3, 16, answer, 1, 0, 0, 11, 2, 0, 2, 4, 4])
                    seeds.append([index, role, 20, 0, 0, 16, answer, 1, 0, 0, 24, 0, 2, 9, 1, 2])
                    seeds.append([index, role, 21, 1, 1, 16, answer, 1, 0, 0, 16, 6, 0, 0, 0])
                }
            }
        }
        return seeds
    }

    private static func someProperties(_ profile: DraftProfile) throws -> PropertyList {
        try PropertyList(
            [KeyValuePair(type: 2, integer: 77), KeyValuePair(type: 13, bytes: [1, 2, 3])].compactMap { $0 },
            coding: profile.coding
        )
    }
}
