// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WebTransport

@testable import MoQCommand

@Suite("Putting a track in order")
struct TrackReassemblerTests {
    /// A reassembler and what it wrote.
    private final class Bench {
        var text = ""
        var hasOverflowed = false
        let reassembler: TrackReassembler

        init(limit: Int = 1 << 20) {
            self.reassembler = TrackReassembler(limit: limit, output: { _ in }, overflowed: {})
            self.reassembler.output = { [unowned self] bytes in
                self.text += String(decoding: bytes.array, as: UTF8.self)
            }
            self.reassembler.overflowed = { [unowned self] in
                self.hasOverflowed = true
            }
        }

        func open(_ group: UInt64, endsGroup: Bool = true) throws -> SubgroupIntake {
            try #require(self.reassembler.open(group: group, endsGroup: endsGroup))
        }

        func datagram(_ group: UInt64, _ object: UInt64, _ text: String, endsGroup: Bool = false) {
            self.reassembler.receive(
                datagram: ObjectDatagram(
                    trackAlias: TrackAlias(1),
                    groupID: group,
                    objectID: object,
                    endsGroup: endsGroup
                ),
                payload: Bytes(utf8: text)
            )
        }
    }

    @Test("An object whose turn it is is written as it arrives")
    func direct() throws {
        let bench = Bench()
        let stream = try bench.open(0)
        stream.beginObject(ObjectHeader(objectID: 0, payloadLength: 4))
        stream.receive(payload: Bytes(utf8: "ab"))
        #expect(bench.text == "ab")
        stream.receive(payload: Bytes(utf8: "cd"))
        stream.finish()
        #expect(bench.text == "abcd")
        #expect(bench.reassembler.heldByteCount == 0)
        #expect(bench.reassembler.losses == TrackReassembler.Losses())
    }

    @Test("Groups that overtake each other are written in order, also while they arrive")
    func groups() throws {
        let bench = Bench()
        let first = try bench.open(0)
        let second = try bench.open(1)
        let third = try bench.open(2)
        third.send(0, "f")
        third.finish()
        second.send(0, "d")
        second.beginObject(ObjectHeader(objectID: 1, payloadLength: 2))
        second.receive(payload: Bytes(utf8: "e"))
        first.send(0, "a")
        first.send(1, "bc")
        #expect(bench.text == "abc")
        first.finish()
        #expect(bench.text == "abcde")
        second.receive(payload: Bytes(utf8: "-"))
        #expect(bench.text == "abcde-")
        second.finish()
        #expect(bench.text == "abcde-f")
        #expect(bench.reassembler.heldByteCount == 0)
        #expect(!bench.reassembler.isWaiting)
        #expect(bench.reassembler.objectCount == 5)
        #expect(bench.reassembler.groupCount == 3)
        #expect(bench.reassembler.byteCount == 7)
    }

    @Test("What waits when nothing more is wanted stays unwritten, and is counted")
    func stopped() throws {
        let bench = Bench()
        let first = try bench.open(0)
        let second = try bench.open(1)
        let third = try bench.open(2)
        first.send(0, "a")
        second.send(0, "c")
        second.send(1, "d")
        second.finish()
        third.beginObject(ObjectHeader(objectID: 0, payloadLength: 2))
        third.receive(payload: Bytes(utf8: "e"))
        bench.reassembler.stop()
        bench.reassembler.stop()
        third.receive(payload: Bytes(utf8: "e"))
        first.reset(.cancelled)
        third.reset(.cancelled)
        #expect(bench.reassembler.open(group: 3, endsGroup: true) == nil)
        bench.datagram(0, 1, "b")
        bench.reassembler.finish()
        #expect(bench.text == "a")
        var losses = TrackReassembler.Losses()
        losses.withheldObjects = 3
        #expect(bench.reassembler.losses == losses)
    }

    @Test("Objects of several subgroups are written by their ids")
    func subgroups() throws {
        let bench = Bench()
        let even = try bench.open(0, endsGroup: false)
        let odd = try bench.open(0)
        even.send(0, "a")
        even.send(2, "c")
        even.finish()
        #expect(bench.text == "a")
        odd.send(1, "b")
        odd.send(3, "d")
        odd.finish()
        #expect(bench.text == "abcd")
    }

    @Test("A group that is missing holds up the next until it is given up")
    func missingGroup() throws {
        let bench = Bench()
        let first = try bench.open(0)
        first.send(0, "a")
        first.finish()
        let third = try bench.open(2)
        third.send(0, "c")
        third.finish()
        #expect(bench.text == "a")
        #expect(bench.reassembler.isWaiting)
        bench.reassembler.settle()
        #expect(bench.text == "ac")
        #expect(bench.reassembler.losses.missingGroups == 1)
        #expect(bench.reassembler.open(group: 1, endsGroup: true) == nil)
        #expect(bench.reassembler.losses.lateObjects == 1)
    }

    @Test("A track that is joined in the middle begins with the smallest group that comes")
    func joining() throws {
        let bench = Bench()
        bench.reassembler.startsAfter(largest: Location(group: 7, object: 3))
        let later = try bench.open(8)
        later.send(0, "x")
        later.finish()
        #expect(bench.text.isEmpty)
        let current = try bench.open(7)
        current.send(4, "w")
        #expect(bench.text == "w")
        current.finish()
        #expect(bench.text == "wx")
        #expect(bench.reassembler.beginning == Location(group: 7, object: 4))
        #expect(bench.reassembler.losses == TrackReassembler.Losses())
    }

    @Test("A track that begins at any group waits a moment for an earlier one")
    func unknownBeginning() throws {
        let bench = Bench()
        let stream = try bench.open(500)
        stream.send(0, "x")
        stream.finish()
        #expect(bench.reassembler.isWaiting)
        bench.reassembler.settle()
        #expect(bench.text == "x")
        let next = try bench.open(501)
        next.send(0, "y")
        #expect(bench.text == "xy")
    }

    @Test("A group without a known end is left when its streams ended and the wait is over")
    func unknownEnd() throws {
        let bench = Bench()
        let first = try bench.open(0, endsGroup: false)
        first.send(0, "a")
        let second = try bench.open(1, endsGroup: false)
        second.send(0, "b")
        #expect(!bench.reassembler.isWaiting)
        first.finish()
        #expect(bench.reassembler.isWaiting)
        #expect(bench.text == "a")
        bench.reassembler.settle()
        #expect(bench.text == "ab")
    }

    @Test("A stream that is reset in the middle of an object is counted")
    func reset() throws {
        let bench = Bench()
        let first = try bench.open(0)
        first.beginObject(ObjectHeader(objectID: 0, payloadLength: 4))
        first.receive(payload: Bytes(utf8: "a"))
        let second = try bench.open(1)
        second.beginObject(ObjectHeader(objectID: 0, payloadLength: 4))
        second.receive(payload: Bytes(utf8: "b"))
        first.reset(.cancelled)
        second.reset(.cancelled)
        #expect(bench.reassembler.losses.resetStreams == 2)
        #expect(bench.reassembler.losses.incompleteObjects == 2)
        #expect(bench.reassembler.heldByteCount == 0)
    }

    @Test("The end of the track writes what is held, across every gap")
    func finish() throws {
        let bench = Bench()
        bench.datagram(0, 0, "a")
        bench.datagram(0, 2, "c")
        bench.datagram(3, 1, "f")
        bench.datagram(3, 0, "e")
        bench.datagram(2, 0, "d")
        #expect(bench.text == "a")
        bench.reassembler.finish()
        #expect(bench.text == "acdef")
        #expect(bench.reassembler.losses.missingObjects == 1)
        #expect(bench.reassembler.losses.missingGroups == 1)
    }

    @Test("Where the end of groups is marked, a group without its end is counted")
    func unfinishedGroup() throws {
        let bench = Bench()
        bench.datagram(0, 0, "a")
        bench.datagram(0, 1, "b", endsGroup: true)
        bench.datagram(1, 0, "c")
        let mark = try bench.open(2)
        mark.beginObject(ObjectHeader(objectID: 1, payloadLength: 0, status: .endOfTrack))
        mark.finish()
        bench.reassembler.finish()
        #expect(bench.text == "abc")
        #expect(bench.reassembler.losses.unfinishedGroups == 1)
        #expect(bench.reassembler.losses.missingObjects == 1)
    }

    @Test("Datagrams in any order, duplicates dropped")
    func datagrams() throws {
        let bench = Bench()
        bench.datagram(0, 1, "b")
        bench.datagram(0, 0, "a")
        bench.datagram(0, 0, "a")
        bench.datagram(0, 1, "b")
        bench.datagram(1, 0, "d")
        bench.datagram(0, 2, "c", endsGroup: true)
        #expect(bench.text == "abcd")
        #expect(bench.reassembler.losses.lateObjects == 2)
    }

    @Test("Empty objects and status objects take their place without output")
    func status() throws {
        let bench = Bench()
        let stream = try bench.open(0, endsGroup: false)
        stream.beginObject(ObjectHeader(objectID: 0, payloadLength: 0))
        stream.send(1, "b")
        stream.beginObject(ObjectHeader(objectID: 2, payloadLength: 0, status: .endOfGroup))
        stream.finish()
        let next = try bench.open(1)
        next.send(0, "c")
        #expect(bench.text == "bc")
    }

    @Test("More than the bound is not held")
    func overflow() throws {
        let bench = Bench(limit: 1_000)
        let first = try bench.open(0)
        first.beginObject(ObjectHeader(objectID: 0, payloadLength: 4))
        let second = try bench.open(1)
        second.send(0, String(repeating: "x", count: 800))
        #expect(!bench.hasOverflowed)
        second.send(1, String(repeating: "x", count: 800))
        #expect(bench.hasOverflowed)
        first.receive(payload: Bytes(utf8: "abcd"))
        #expect(bench.text.isEmpty)
        #expect(bench.reassembler.open(group: 2, endsGroup: true) == nil)
    }

    @Test("However streams interleave, the output is the input", arguments: 0..<50)
    func interleaving(seed: Int) throws {
        var generator = SeededOrder(state: UInt64(seed) &+ 1)
        let bench = Bench()
        var expected = ""
        var scripts: [(group: UInt64, endsGroup: Bool, objects: [(UInt64, String)])] = []
        for group in UInt64(0)..<6 {
            var parts: [[(UInt64, String)]] = [[], [], []]
            for object in UInt64(0)..<8 {
                let text = "(\(group).\(object))"
                expected += text
                parts[Int.random(in: 0..<3, using: &generator)].append((object, text))
            }
            // The subgroup with the last object carries the mark of the group's end.
            for part in parts where !part.isEmpty {
                scripts.append((group, part.last?.0 == 7, part))
            }
        }
        var streams: [(intake: SubgroupIntake, rest: [(UInt64, String)])] = []
        // Streams of a group are opened before any of them ends, as a publisher does.
        for script in scripts.shuffled(using: &generator) {
            streams.append((try bench.open(script.group, endsGroup: script.endsGroup), script.objects))
        }
        while !streams.isEmpty {
            let position = Int.random(in: 0..<streams.count, using: &generator)
            guard !streams[position].rest.isEmpty else {
                streams.remove(at: position).intake.finish()
                continue
            }
            let (id, text) = streams[position].rest.removeFirst()
            streams[position].intake.send(id, text)
        }
        #expect(bench.text == expected)
        #expect(bench.reassembler.heldByteCount == 0)
        #expect(bench.reassembler.losses == TrackReassembler.Losses())
    }
}

extension SubgroupIntake {
    /// Sends an object in one piece, or in two when it is long enough.
    fileprivate func send(_ id: UInt64, _ text: String) {
        let bytes = Bytes(utf8: text)
        self.beginObject(ObjectHeader(objectID: id, payloadLength: UInt64(bytes.count)))
        if bytes.count > 4 {
            self.receive(payload: bytes.prefix(3))
            self.receive(payload: bytes.dropFirst(3))
        } else {
            self.receive(payload: bytes)
        }
    }
}

/// A small generator with a seed, so that a failing order can be repeated.
private struct SeededOrder: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var value = self.state
        value ^= value >> 33
        value = value &* 0xff51_afd7_ed55_8ccd
        return value ^ value >> 33
    }
}
