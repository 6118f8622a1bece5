// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

@Suite("The model")
struct ModelTests {
    @Test("namespaces come from text and compare by their fields")
    func namespaces() {
        let namespace = TrackNamespace(path: "/a//b/c")
        #expect(namespace == TrackNamespace(["a", "b", "c"]))
        #expect(namespace.hasPrefix(TrackNamespace(path: "a/b")) && namespace.hasPrefix(TrackNamespace()))
        #expect(!namespace.hasPrefix(TrackNamespace(path: "a/bc")))
        #expect(!TrackNamespace(path: "a").hasPrefix(namespace))
        #expect(namespace.suffix(after: TrackNamespace(path: "a")) == TrackNamespace(path: "b/c"))
        #expect(namespace.suffix(after: TrackNamespace(path: "b")) == nil)
        #expect(TrackNamespace(path: "a").appending(TrackNamespace(path: "b/c")) == namespace)
        #expect(namespace.byteCount == 3 && TrackNamespace(path: "").isEmpty)
    }

    @Test("names are rendered for logs as draft 18 recommends")
    func rendering() {
        let namespace = TrackNamespace(["example.net", "team2", "project_x"])
        #expect("\(FullTrackName(namespace: namespace, name: "report"))" == "example.2enet-team2-project_x--report")
        #expect("\(FullTrackName(namespace: TrackNamespace(), name: [0, 0xFF]))" == "--.00.ff")
    }

    @Test("filters become ranges relative to the largest object")
    func filters() {
        let largest = Location(group: 5, object: 9)
        let zero = Location(group: 0, object: 0)
        #expect(SubscriptionFilter.nextObject.range(largest: largest).start == Location(group: 5, object: 10))
        #expect(SubscriptionFilter.nextGroup.range(largest: largest).start == Location(group: 6, object: 0))
        #expect(SubscriptionFilter.nextGroup.range(largest: nil).start == zero)
        #expect(SubscriptionFilter.nextObject.range(largest: nil).start == zero)
        #expect(SubscriptionFilter.relativeGroup(back: 2).range(largest: largest).start.group == 3)
        #expect(SubscriptionFilter.relativeGroup(back: 9).range(largest: largest).start == zero)
        let range = SubscriptionFilter.absoluteRange(start: largest, endGroup: 6).range(largest: nil)
        #expect(range.contains(largest) && range.contains(Location(group: 6, object: .max)))
        #expect(!range.contains(Location(group: 5, object: 8)) && !range.contains(Location(group: 7, object: 0)))
        let last = Location(group: .max, object: .max)
        let end = SubscriptionFilter.nextObject.range(largest: last)
        #expect(!end.contains(last) && !end.contains(zero))
    }

    @Test("reason phrases are cut at a character, never inside of one")
    func reasons() {
        let text = String(repeating: "x", count: 1_022) + "\u{1F426}"
        #expect(ReasonPhrase(text).text == String(repeating: "x", count: 1_022))
        #expect(ReasonPhrase("short").text == "short")
    }

    @Test("pairs have the value that their type demands")
    func pairs() {
        #expect(KeyValuePair(type: 1, integer: 1) == nil)
        #expect(KeyValuePair(type: 2, bytes: []) == nil)
        #expect(KeyValuePair(type: 1, bytes: Array(repeating: 0, count: 65_536)) == nil)
        #expect(KeyValuePair(type: 1, bytes: Array(repeating: 0, count: 65_535)) != nil)
    }

    @Test("drafts are found by the name that QUIC negotiates")
    func alpn() {
        #expect(DraftVersion(alpn: "moqt-18") == .draft18 && DraftVersion(alpn: "moqt-16") == .draft16)
        #expect(DraftVersion(alpn: "moq-00") == .draft14 && DraftVersion(alpn: "h3") == nil)
        #expect(DraftProfile(version: .draft18)?.version == .draft18)
        #expect(DraftProfile.all.map(\.version) == [.draft18, .draft16, .draft14])
        #expect(DraftProfile.all.map(\.version) == [.draft18, .draft16, .draft14])
    }

    @Test(
        "a message is logged under the name that its draft's table has for it",
        arguments: DraftProfile.withParameters
    )
    func names(profile: DraftProfile) throws {
        for sample in try MessageSamples.all(profile) where sample.message.name != "SETUP" {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            var reader = unsafe WireReader(bytes.span.bytes, integers: profile.coding.integers)
            let type = try reader.readInteger()
            let kind = profile.messages.first { $0.type == type }?.kind
            let isPublishOk = sample.message.name == "PUBLISH_OK"
            #expect(kind?.rawValue == sample.message.name || (isPublishOk && kind == .requestOk))
        }
    }

    @Test("codes keep their meaning across drafts that number them differently")
    func codes() {
        #expect(PublishDoneStatus(wireValue: 5, in: .draft16) == .expired)
        #expect(PublishDoneStatus(wireValue: 5, in: .draft18) == .tooFarBehind)
        #expect(PublishDoneStatus.expired.wireValue(in: .draft18) == 6)
        #expect(StreamResetCode.unknownObjectStatus.wireValue(in: .draft16) == 4)
        #expect(StreamResetCode.unknownObjectStatus.wireValue(in: .draft18) == 6)
        #expect(RequestErrorCode.goingAway.wireValue(in: .draft16) == 0)
        #expect(SessionErrorCode.tooManyRequests.wireValue(in: .draft18) == 1)
        #expect(RequestErrorCode(wireValue: 0x11C, in: .draft18) == .unknown(0x11C))
        #expect(RequestErrorCode.unknown(0x11C).wireValue(in: .draft18) == 0x11C)
    }

    @Test("the numbers of a draft's tables are unique and survive", arguments: DraftProfile.all)
    func tables(profile: DraftProfile) {
        for entry in profile.errors.session {
            #expect(SessionErrorCode(wireValue: entry.number, in: profile) == entry.code)
            #expect(entry.code.wireValue(in: profile) == entry.number)
        }
        for entry in profile.errors.request {
            #expect(RequestErrorCode(wireValue: entry.number, in: profile) == entry.code)
            #expect(entry.code.wireValue(in: profile) == entry.number)
        }
        for entry in profile.errors.publishDone {
            #expect(PublishDoneStatus(wireValue: entry.number, in: profile) == entry.code)
            #expect(entry.code.wireValue(in: profile) == entry.number)
        }
        for entry in profile.errors.streamReset {
            #expect(StreamResetCode(wireValue: entry.number, in: profile) == entry.code)
            #expect(entry.code.wireValue(in: profile) == entry.number)
        }
        #expect(Set(profile.messages.map(\.type)).count == profile.messages.count)
        #expect(Set(profile.parameters.map(\.type)).count == profile.parameters.count)
        #expect(profile.parameters.count < 64)
    }
}
