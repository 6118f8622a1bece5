// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQWire
import Testing
import WireSamples

@testable import MoQCommand

@Suite("Decoding without a session")
struct DecodeTests {
    /// The code of the violation that the bytes end with, if they do.
    private func violation(
        _ text: String,
        _ profile: DraftProfile,
        _ kind: WireDecoder.Kind,
        answers: RequestKind? = nil
    ) throws -> SessionErrorCode? {
        let decoder = WireDecoder(profile: profile, kind: kind, answers: answers)
        guard case .violation(let error) = decoder.decode(try #require(HexText.bytes(text))).last else {
            return nil
        }
        #expect(!error.reason.isEmpty)
        return error.code
    }

    // MARK: Messages

    @Test("Every message of a draft is written again as it was read", arguments: DraftProfile.all)
    func samples(profile: DraftProfile) throws {
        let samples = try MessageSamples.all(profile)
        for sample in samples {
            let bytes = try MessageCodec(profile: profile, role: sample.sender).encode(sample.message)
            let (before, kind, answers) = try self.surroundings(of: sample, samples, profile)
            let decoder = WireDecoder(profile: profile, kind: kind, answers: answers)
            let items = decoder.decode(before + bytes)
            guard items.count == (before.isEmpty ? 1 : 2), case .decoded(let name, _, let again) = items.last else {
                Issue.record("\(sample.message) on \(sample.context): \(items.map { $0.line(in: profile) })")
                continue
            }
            #expect(again == bytes, "\(sample.message)")
            #expect(MessageKind(rawValue: name) != nil)
            let line = try #require(items.last?.line(in: profile))
            let json = try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                "\(line) is no JSON"
            )
            #expect(json["message"] as? String == name && json["fields"] is [String: Any])
            #expect(json["reencoded"] as? String == HexText.string(bytes))
        }
    }

    /// What has to come before a message for it to be where it belongs, and how the tool is told.
    private func surroundings(
        of sample: MessageSample,
        _ samples: [MessageSample],
        _ profile: DraftProfile
    ) throws -> ([UInt8], WireDecoder.Kind, RequestKind?) {
        func bytes(_ other: MessageSample?) throws -> [UInt8] {
            let other = try #require(other)
            return try MessageCodec(profile: profile, role: other.sender).encode(other.message)
        }
        switch sample.context {
        case .controlStart, .control:
            return ([], .control, nil)
        case .requestStart:
            return ([], .request, nil)
        case .requester(let kind, _):
            let request = samples.first { $0.context == .requestStart && $0.message.requestKind == kind }
            return (try bytes(request), .request, nil)
        case .responder(let kind, let answering):
            guard answering != kind else {
                return ([], .request, kind)
            }
            let answer = samples.first { $0.context == .responder(kind, answering: kind) }
            return (try bytes(answer), .request, kind)
        }
    }

    @Test("Fields have the names of the draft, and numbers their shortest form", arguments: DecodeExample.all)
    func fields(example: DecodeExample) throws {
        let decoder = WireDecoder(profile: example.profile, kind: example.kind)
        let bytes = try #require(HexText.bytes(example.text))
        #expect(decoder.decode(bytes).map { $0.line(in: example.profile) } == [example.line])
    }

    @Test("Several messages are several lines, up to the first that breaks a rule")
    func several() throws {
        let lines = try self.items("20 0003 01 02 08 0a 0001 04 0a 0001 05", .draft16, .control)
        #expect(lines.count == 3 && lines.allSatisfy { $0.contains("reencoded") })
        let broken = try self.items("0a 0001 04 0a 0002 0505", .draft16, .control)
        #expect(broken.count == 2 && broken.last?.contains("PROTOCOL_VIOLATION") == true)
        // A setup belongs at the beginning only.
        #expect(try self.violation("0a 0001 04 20 0001 00", .draft16, .control) == .protocolViolation)
        // The answer, and then only answers to updates.
        let answers = "04 0002 07 00 07 0001 00"
        let decoded = try self.items(answers, .draft18, .request, answers: .subscribe)
        #expect(decoded.count == 2 && decoded.allSatisfy { $0.contains("reencoded") })
        let twice = "04 0002 07 00 04 0002 07 00"
        #expect(try self.violation(twice, .draft18, .request, answers: .subscribe) == .protocolViolation)
    }

    private func items(
        _ text: String,
        _ profile: DraftProfile,
        _ kind: WireDecoder.Kind,
        answers: RequestKind? = nil
    ) throws -> [String] {
        let decoder = WireDecoder(profile: profile, kind: kind, answers: answers)
        return decoder.decode(try #require(HexText.bytes(text))).map { $0.line(in: profile) }
    }

    @Test("What breaks a rule is printed with its code, for each kind", arguments: DraftProfile.all)
    func violations(profile: DraftProfile) throws {
        func code(_ text: String, _ kind: WireDecoder.Kind) throws -> SessionErrorCode? {
            try self.violation(text, profile, kind)
        }
        #expect(try code("3f 0000", .control) == .protocolViolation)
        #expect(try code("10 0003", .control) == .protocolViolation)
        #expect(try code("", .control) == .protocolViolation)
        #expect(try code("10 0000", .request) == .protocolViolation)
        #expect(try code("16 00 00 00", .uni) == .protocolViolation)
        #expect(try code("10 00 00 00 00 05 01", .uni) == .protocolViolation)
        // Properties that are longer than the rest of the stream.
        #expect(try code("11 00 00 00 00 3f 00", .uni) == .protocolViolation)
        #expect(try code("05", .uni) == .protocolViolation)
        #expect(try code("", .uni) == .protocolViolation)
        #expect(try code("22 00 00 00 00", .datagram) == .protocolViolation)
        #expect(try code("00 01", .datagram) == .protocolViolation)
        #expect(try code("2525", .varint) == .protocolViolation)
        #expect(try code("ff", .varint) == .protocolViolation)
    }

    @Test("The reason says what was read and how far, and the code is that of the draft")
    func reasons() throws {
        // A server has no path, and says so itself by the type of its setup.
        #expect(
            try self.items("21 0004 01 01 01 2f", .draft16, .control) == [
                #"{"error":"INVALID_PATH","code":8,"reason":"a server sent a path (SERVER_SETUP, byte 7)"}"#
            ]
        )
        #expect(
            try self.items("11 0009 08 01 02 6e73 01 03 01 04", .draft14, .control) == [
                #"{"error":"KEY_VALUE_FORMATTING_ERROR","code":6,"#
                    + #""reason":"an authorization token cannot be read (SUBSCRIBE_NAMESPACE, byte 12)"}"#
            ]
        )
        #expect(
            try self.items("10 00 00 00 00 01 aa 00 00 02", .draft18, .uni) == [
                #"{"error":"PROTOCOL_VIOLATION","code":3,"#
                    + #""reason":"unknown object status (in what begins at byte 7)"}"#
            ]
        )
        #expect(
            try self.violation("08 0001 00", .draft18, .request, answers: .subscribeNamespace) == .protocolViolation
        )
        #expect(try self.violation("07 0003 00 30 01", .draft18, .request, answers: .publish) == .protocolViolation)
        #expect(try self.violation("07 0003 00 30 01", .draft18, .request, answers: .trackStatus) == nil)
    }

    @Test("Most messages can come from either side; what only one side may say shows which it was")
    func sides() throws {
        // A URI can come from a server only; an id at draft 18 is one of the receiver's, so of a client or of a server.
        for text in ["10 0004 01 61 00 00", "10 0004 01 61 00 02", "10 0003 00 00 01", "10 0003 00 00 02"] {
            #expect(try self.violation(text, .draft18, .control) == nil, "\(text)")
        }
        // A client's id and a server's URI do not go together.
        #expect(try self.violation("10 0004 01 61 00 01", .draft18, .control) != nil)
        // PATH comes from a client only.
        #expect(try self.violation("af00 0003 01 01 2f", .draft18, .control) == nil)
    }

    @Test("A fetch stream is read in the group order of its request", arguments: [DraftProfile.draft16, .draft18])
    func groupOrder(profile: DraftProfile) throws {
        var encoder = FetchStreamEncoder(profile: profile, groupOrder: .descending)
        var bytes: [UInt8] = []
        try encoder.encode(requestID: RequestID(2), into: &bytes)
        for group: UInt64 in [9, 7, 6] {
            let header = FetchObjectHeader(
                location: Location(group: group, object: 1),
                subgroupID: nil,
                publisherPriority: 1,
                payloadLength: 1
            )
            try encoder.encode(header, into: &bytes)
            bytes.append(0xEE)
        }
        var decoder = WireDecoder(profile: profile, kind: .uni, groupOrder: .descending)
        guard case .decoded(_, let fields, let again) = decoder.decode(bytes).first else {
            Issue.record("not decoded")
            return
        }
        #expect(again == bytes)
        #expect(fields.rendered.matches(of: /"group_id":(\d+)/).map { String($0.1) } == ["9", "7", "6"])
        guard profile == .draft18 else { return }
        decoder.groupOrder = .ascending
        let other = try #require(decoder.decode(bytes).first).line(in: profile)
        #expect(other.matches(of: /"group_id":(\d+)/).map { String($0.1) } == ["9", "11", "12"])
    }

    @Test("Names that are no text, and characters that JSON escapes")
    func text() {
        #expect(JSONValue.name(Array("a\"\\\u{E9}".utf8)).rendered == "\"a\\\"\\\\\u{E9}\"")
        #expect(JSONValue.name([0x61, 0xFF]).rendered == #"{"hex":"61ff"}"#)
        #expect(JSONValue.name([0x61, 0x0A]).rendered == #"{"hex":"610a"}"#)
        #expect(JSONValue.text("\u{1}\n\u{2028}").rendered == #""\u0001\n\u2028""#)
        #expect(HexText.bytes("0x00 fF\t1") == nil && HexText.bytes("0x00 fF\t10") == [0, 255, 16])
        #expect(HexText.bytes("0 0") == nil && HexText.bytes("g0") == nil && HexText.bytes("") == [])
    }

    // MARK: The command

    private func run(_ line: String, input: String = "") async throws -> ChildProcess.Ending {
        let arguments = line.split(separator: " ").map(String.init)
        return try await ChildProcess(arguments, input: Data(input.utf8)).ending(within: 15)
    }

    @Test("The command prints a line for each argument, and ends with 2 when one could not be decoded")
    func arguments() async throws {
        let good = try await self.run("decode --draft 16 --kind varint 25 4025")
        #expect(good.status == 0 && good.complaints.isEmpty)
        #expect(
            good.output
                == String(repeating: #"{"message":"VARINT","fields":{"value":37},"reencoded":"25"}"# + "\n", count: 2)
        )
        let mixed = try await self.run("decode --draft 16 --kind varint ff 25")
        #expect(mixed.status == 2 && mixed.complaints.isEmpty)
        let lines = mixed.output.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].hasPrefix(#"{"error":"PROTOCOL_VIOLATION","code":3,"reason":""#))
        #expect(lines[1].contains(#""value":37"#))
        let answer = try await self.run("decode --draft 18 --kind request --answers subscribe 0400020700")
        #expect(answer.status == 0 && answer.output.contains("SUBSCRIBE_OK"))
        let stream = try await self.run("decode --draft 18 --kind uni --group-order descending 0502")
        #expect(stream.status == 0 && stream.output.contains(#"{"request_id":2,"objects":[]}"#))
    }

    @Test("Without arguments the lines of standard input are taken, apart from empty ones")
    func input() async throws {
        let ending = try await self.run("decode --draft 14 --kind control", input: "0a000104\n\n0a 0001 05")
        #expect(ending.status == 0)
        #expect(ending.output.split(separator: "\n").count == 2)
        let broken = try await self.run("decode --draft 14 --kind control", input: "0a000104\n0a0001\n0a000104\n")
        #expect(broken.status == 2)
        #expect(broken.output.split(separator: "\n").count == 3)
        let nonsense = try await self.run("decode --draft 14 --kind control", input: "0a000104\nhello\n0a000105\n")
        #expect(nonsense.status == 2 && nonsense.complaints == "moq: line 2 'hello' is not hexadecimal\n")
        #expect(nonsense.output.split(separator: "\n").count == 2)
    }

    @Test("--help shows examples that say what the program says")
    func help() async throws {
        let help = try await self.run("decode --help")
        #expect(help.status == 0)
        // Long lines are wrapped, so that only the words count.
        let words = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for (hex, status) in [("0a000104", Int32(0)), ("0a00020404", 2)] {
            let command = "decode --draft 16 --kind control \(hex)"
            #expect(words.contains("moq \(command) {"))
            let ending = try await self.run(command)
            #expect(ending.status == status)
            #expect(words.contains(ending.output.split(whereSeparator: \.isNewline).joined()))
        }
    }
}
