// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQPicoQuic
import MoQWire
import Testing

@Suite("Garbage over loopback sockets", .tags(.network), .timeLimit(.minutes(2)))
struct GarbageTests {
    /// Something that no peer may do, and what the draft says it is.
    struct Offence: Sendable, CustomStringConvertible {
        var description: String
        var code = SessionErrorCode.protocolViolation
        /// Whether the offender has sent SETUP before.
        var comesAfterSetup = true
        var commit: @Sendable (Attacker) throws -> Void

        static let all = [
            Offence(description: "unknown type of unidirectional stream") { attacker in
                try attacker.send(unidirectional: [0x3F, 1, 2, 3])
            },
            Offence(description: "subgroup stream that ends inside its header") { attacker in
                try attacker.send(unidirectional: [0x10, 9], isFinished: true)
            },
            Offence(description: "unknown message on the control stream") { attacker in
                try attacker.sendControl(raw: [0x2E, 0, 1, 0])
            },
            Offence(description: "message shorter than its length") { attacker in
                var bytes = try attacker.bytes(.goaway(attacker.goaway))
                // One byte more than the message has, and a length that says so: type, then two bytes of length.
                bytes.append(0)
                bytes[2] &+= 1
                try attacker.sendControl(raw: bytes)
            },
            Offence(description: "datagram of an unknown type") { attacker in
                try attacker.send(datagram: [0x3F, 0, 0, 0])
            },
            Offence(description: "request stream that begins with garbage") { attacker in
                try attacker.send(bidirectional: [0x3F, 0xFF, 0xFF, 0xFF])
            },
            Offence(description: "control stream that is reset") { attacker in
                attacker.resetControl()
            },
            Offence(description: "request id of the wrong side", code: .invalidRequestID) { attacker in
                try attacker.request(id: RequestID(1))
            },
            Offence(description: "first message that is not SETUP", comesAfterSetup: false) { attacker in
                try attacker.open(control: [0x04, 0, 0])
            },
            Offence(description: "control stream that begins with garbage", comesAfterSetup: false) { attacker in
                try attacker.open(control: [0x3F, 0xEE, 0xDD, 0xCC])
            },
        ]
    }

    @Test("An offence closes its session with the draft's code, and no other", arguments: DraftProfile.all)
    func offences(profile: DraftProfile) async throws {
        let stage = try await Stage(drafts: [profile.version])
        let journal = Journal()
        let bystander = try await stage.connect(drafts: [profile.version], journal: journal)
        await stage.atServer.wait { $0.setups == 1 }
        var setups = 1
        for (index, offence) in Offence.all.enumerated() {
            let offender = try await Offender(stage: stage, profile: profile, setsUp: offence.comesAfterSetup)
            if offence.comesAfterSetup {
                setups += 1
                await stage.atServer.wait { [setups] in $0.setups == setups }
            }
            try await offender.attack(offence.commit)
            await offender.journal.wait { $0.closures.count == 1 }
            let closure = try #require(offender.journal.facts.closures.first)
            #expect(closure.origin == .peer, "\(offence)")
            #expect(closure.code == offence.code, "\(offence): \(closure)")
            #expect(!closure.reason.isEmpty, "\(offence)")
            await stage.atServer.wait { $0.closures.count == index + 1 }
            #expect(stage.atServer.facts.closures.last?.origin == .local, "\(offence)")
            await offender.leave()

            try await self.subscribe(bystander, track: "after \(index)", journal: journal)
            await journal.wait { $0.trackEnds == index + 1 }
            #expect(journal.facts.payloads.count == index + 1)
        }
        #expect(journal.facts.closures.isEmpty)
        await bystander.close()
        await stage.server.stop()
    }

    @Test("Random bytes on every kind of stream end at most their own session", arguments: DraftProfile.all)
    func noise(profile: DraftProfile) async throws {
        let stage = try await Stage(drafts: [profile.version])
        let journal = Journal()
        let bystander = try await stage.connect(drafts: [profile.version], journal: journal)
        await stage.atServer.wait { $0.setups == 1 }
        var codes: Set<SessionErrorCode> = []
        for round in 0..<20 {
            let offender = try await Offender(stage: stage, profile: profile, setsUp: round.isMultiple(of: 4) == false)
            try await offender.attack { attacker in
                try attacker.makeNoise(seed: UInt64(round))
                // All of it may have been harmless; this is not.
                try attacker.send(unidirectional: [0x3F])
            }
            await offender.journal.wait { $0.closures.count == 1 }
            #expect(offender.journal.facts.closures.first?.origin == .peer)
            await stage.atServer.wait { $0.closures.count == round + 1 }
            codes.formUnion(stage.atServer.facts.closures.map(\.code))
            await offender.leave()

            try await self.subscribe(bystander, track: "after \(round)", journal: journal)
            await journal.wait { $0.trackEnds == round + 1 }
            #expect(journal.facts.payloads.count == round + 1)
        }
        #expect(codes.contains(.protocolViolation))
        #expect(codes.isDisjoint(with: [.noError, .internalError]))
        #expect(journal.facts.closures.isEmpty)
        await bystander.close()
        await stage.server.stop()
    }

    private func subscribe(_ client: MoQPicoQuicClient, track: String, journal: Journal) async throws {
        try await client.withSession { session in
            let name = FullTrackName(namespace: TrackNamespace(["garbage"]), name: track)
            session.subscribe(
                SubscribeRequest(track: name),
                consumer: TestConsumer(journal: journal),
                response: { _ in }
            )
        }
    }
}
