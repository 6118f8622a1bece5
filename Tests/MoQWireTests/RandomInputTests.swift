// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing
import WireSamples

/// Bytes that mean nothing, and messages with damaged bytes: the decoders may refuse them, but must come back.
@Suite("Random input")
struct RandomInputTests {
    private static let contexts: [StreamContext] = [
        .controlStart, .control, .requestStart, .requester(.subscribe), .requester(.publish, answering: .requestUpdate),
        .responder(.subscribe, answering: .subscribe), .responder(.trackStatus, answering: .trackStatus),
        .responder(.fetch, answering: .fetch), .responder(.publish, answering: .publish),
        .responder(.subscribeNamespace, answering: nil), .responder(.subscribeTracks, answering: nil),
    ]

    @Test("noise is decoded or refused, never consumed beyond its end", arguments: DraftProfile.all)
    func noise(profile: DraftProfile) throws {
        var generator = SeededGenerator(seed: 42)
        let types = profile.messages.map(\.type)
        var messages = 0
        for round in 0..<12_000 {
            let count = Int.random(in: 0...14, using: &generator)
            var bytes = (0..<count).map { _ in
                // Small numbers make more of the noise meaningful.
                UInt8.random(in: 0...255, using: &generator) >> UInt8.random(in: 0...7, using: &generator)
            }
            if round % 8 != 0, let type = types.randomElement(using: &generator) {
                bytes = try frame(type, bytes, profile)
            }
            let codec = MessageCodec(profile: profile, role: round % 3 == 0 ? .client : .server)
            let peer = MessageCodec(profile: profile, role: codec.role.peer)
            for context in Self.contexts {
                guard case .message(let message, let consumed) = try? codec.decode(bytes, on: context) else {
                    continue
                }
                messages += 1
                #expect(consumed <= bytes.count)
                // What was understood can be said again by the other side, and is understood in the same way.
                guard let again = try? peer.encode(message) else {
                    continue
                }
                #expect(try codec.message(again, on: context) == message)
            }
        }
        #expect(messages > 100)
    }

    @Test("damaged messages are decoded or refused", arguments: DraftProfile.all)
    func damage(profile: DraftProfile) throws {
        var generator = SeededGenerator(seed: 7)
        for sample in try MessageSamples.all(profile) {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            let receiver = MessageCodec(profile: profile, role: sample.sender.peer)
            for _ in 0..<200 {
                var damaged = bytes
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let index = Int.random(in: 0..<damaged.count, using: &generator)
                    damaged[index] = UInt8.random(in: 0...255, using: &generator)
                }
                if case .message(_, let consumed) = try? receiver.decode(damaged, on: sample.context) {
                    #expect(consumed <= damaged.count)
                }
            }
        }
    }

    @Test("noise on data streams and in datagrams is read to its end or refused", arguments: DraftProfile.all)
    func data(profile: DraftProfile) throws {
        var generator = SeededGenerator(seed: 99)
        let datagrams = DatagramCodec(profile: profile)
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...60, using: &generator)
            var bytes = (0..<count).map { _ in
                UInt8.random(in: 0...255, using: &generator) >> UInt8.random(in: 0...7, using: &generator)
            }
            if case .object(_, let offset) = try? datagrams.decode(unsafe bytes.span.bytes) {
                #expect(offset <= bytes.count)
            }
            bytes[0] = (bytes[0] & 0x0F) | 0x10
            var subgroup = SubgroupStreamParser(profile: profile, propertiesLimit: 64)
            self.drain(bytes) { rest throws(MoQWireError) in
                let step = try subgroup.next(in: unsafe rest.span.bytes)
                return step.event == .needMore ? nil : step.consumed
            }
            bytes[0] = 0x05
            var fetch = FetchStreamParser(profile: profile, propertiesLimit: 64)
            fetch.groupOrder = bytes.count % 2 == 0 ? .ascending : .descending
            self.drain(bytes) { rest throws(MoQWireError) in
                let step = try fetch.next(in: unsafe rest.span.bytes)
                return step.event == .needMore ? nil : step.consumed
            }
        }
    }

    /// Calls `next` until it wants more or refuses; each step must take something, and no more than there is.
    private func drain(_ bytes: [UInt8], _ next: ([UInt8]) throws(MoQWireError) -> Int?) {
        var rest = bytes
        while let consumed = try? next(rest) {
            guard consumed > 0, consumed <= rest.count else {
                Issue.record("a step took \(consumed) of \(rest.count) bytes")
                return
            }
            rest.removeFirst(consumed)
        }
    }
}
