// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser
internal import MoQWire

/// `moq decode`.
struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Say what bytes of the protocol mean, or which rule they break.",
        discussion: """
            Prints a line of JSON for each message, stream or datagram: its name, its fields as the draft calls them, and \
            the bytes that this program writes for the same. What breaks a rule is printed with the code that the session \
            would be closed with. Exit status: 0 when everything could be decoded, 2 when something could not. A line of standard \
            input that is not hexadecimal is named on standard error, and the next one is taken.

              moq decode --draft 16 --kind control 0a000104
              {"message":"UNSUBSCRIBE","fields":{"request_id":4},"reencoded":"0a000104"}

              moq decode --draft 16 --kind control 0a00020404
              {"error":"PROTOCOL_VIOLATION","code":3,"reason":"a message is shorter than \
            its length (UNSUBSCRIBE, byte 4)"}

              moq decode --draft 18 --kind request --answers SUBSCRIBE < answers.txt

            Names are text where the bytes are text, and {"hex":"…"} elsewhere; values and payloads are hexadecimal.
            """
    )

    @Option(
        help: ArgumentHelp("The draft: \(Self.drafts).", valueName: "number"),
        transform: Self.profile
    )
    var draft: DraftProfile

    @Option(
        help: ArgumentHelp(
            "What the bytes are: control, messages of a control stream; request, one side of a request stream from its "
                + "first byte; uni, a whole unidirectional stream; datagram; varint, one integer.",
            valueName: "kind"
        )
    )
    var kind: WireDecoder.Kind

    @Option(
        help: ArgumentHelp(
            "With request: the stream is the side that answers this message, such as SUBSCRIBE.",
            valueName: "message"
        ),
        transform: Self.request
    )
    var answers: RequestKind?

    @Option(
        help: ArgumentHelp(
            "With uni: the group order of the request that a fetch stream answers, ascending or descending.",
            valueName: "order"
        ),
        transform: Self.order
    )
    var groupOrder: GroupOrder = .ascending

    @Argument(
        help: ArgumentHelp("The bytes; without them, each line of standard input is taken.", valueName: "hex")
    )
    var hex: [String] = []

    func run() throws {
        let decoder = WireDecoder(
            profile: self.draft,
            kind: self.kind,
            answers: self.answers,
            groupOrder: self.groupOrder
        )
        var isGood = true
        if self.hex.isEmpty {
            // Nothing else happens in the process, so that waiting for input holds nobody up.
            var number = 0
            while let line = readLine() {
                number += 1
                guard !line.allSatisfy(\.isWhitespace) else {
                    continue
                }
                if let bytes = HexText.bytes(line) {
                    isGood = try Self.say(bytes, decoder) && isGood
                } else {
                    // One bad line of many is no reason to leave out the others.
                    StandardStreams.complain("line \(number) '\(line.prefix(40))' is not hexadecimal")
                    isGood = false
                }
            }
        }
        for text in self.hex {
            guard let bytes = HexText.bytes(text) else {
                throw CommandFailure.usage("the argument '\(text.prefix(40))' is not hexadecimal")
            }
            isGood = try Self.say(bytes, decoder) && isGood
        }
        guard isGood else {
            throw CommandFailure("", exitStatus: 2)
        }
    }

    /// Decodes bytes and prints what they say. Returns whether all of it could be decoded.
    private static func say(_ bytes: [UInt8], _ decoder: WireDecoder) throws -> Bool {
        var isGood = true
        for item in decoder.decode(bytes) {
            guard StandardStreams.say(item.line(in: decoder.profile)) else {
                throw CommandFailure("nobody reads the output any more")
            }
            if case .violation = item {
                isGood = false
            }
        }
        return isGood
    }

    // MARK: Values of options

    private static let drafts = DraftProfile.all.map { "\($0.version.number)" }.joined(separator: ", ")

    private static func profile(_ text: String) throws -> DraftProfile {
        guard let profile = DraftProfile.all.first(where: { "\($0.version.number)" == text }) else {
            throw ValidationError("unknown draft '\(text)', this build decodes \(Self.drafts)")
        }
        return profile
    }

    /// The requests by the names that the drafts have for them.
    private static let requests: KeyValuePairs<String, RequestKind> = [
        "SUBSCRIBE": .subscribe, "PUBLISH": .publish, "FETCH": .fetch, "TRACK_STATUS": .trackStatus,
        "PUBLISH_NAMESPACE": .publishNamespace, "SUBSCRIBE_NAMESPACE": .subscribeNamespace,
        "SUBSCRIBE_TRACKS": .subscribeTracks, "REQUEST_UPDATE": .requestUpdate,
    ]

    private static func request(_ text: String) throws -> RequestKind {
        guard let kind = Self.requests.first(where: { $0.key == text.uppercased() })?.value else {
            let known = Self.requests.map(\.key).joined(separator: ", ")
            throw ValidationError("'\(text)' is no request: known are \(known)")
        }
        return kind
    }

    private static func order(_ text: String) throws -> GroupOrder {
        switch text {
        case "ascending": return .ascending
        case "descending": return .descending
        default: throw ValidationError("the group order is ascending or descending, not '\(text)'")
        }
    }
}

extension WireDecoder.Kind: ExpressibleByArgument {}
