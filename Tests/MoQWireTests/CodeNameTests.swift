// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

/// The numbers and the names of the codes, beside the tables of the drafts.
@Suite("Names of codes")
struct CodeNameTests {
    /// What the registries of the drafts say ("IANA Considerations", "Error Codes").
    private static let session18: [(UInt64, String)] = [
        (0x0, "NO_ERROR"), (0x1, "INTERNAL_ERROR"), (0x2, "UNAUTHORIZED"), (0x3, "PROTOCOL_VIOLATION"),
        (0x4, "INVALID_REQUEST_ID"), (0x5, "DUPLICATE_TRACK_ALIAS"), (0x6, "KEY_VALUE_FORMATTING_ERROR"),
        (0x8, "INVALID_PATH"), (0x9, "MALFORMED_PATH"), (0x10, "GOAWAY_TIMEOUT"),
        (0x11, "CONTROL_MESSAGE_TIMEOUT"), (0x12, "DATA_STREAM_TIMEOUT"), (0x13, "AUTH_TOKEN_CACHE_OVERFLOW"),
        (0x14, "DUPLICATE_AUTH_TOKEN_ALIAS"), (0x15, "VERSION_NEGOTIATION_FAILED"), (0x16, "MALFORMED_AUTH_TOKEN"),
        (0x17, "UNKNOWN_AUTH_TOKEN_ALIAS"), (0x18, "EXPIRED_AUTH_TOKEN"), (0x19, "INVALID_AUTHORITY"),
        (0x1A, "MALFORMED_AUTHORITY"),
    ]
    private static let request18: [(UInt64, String)] = [
        (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
        (0x4, "MALFORMED_AUTH_TOKEN"), (0x5, "EXPIRED_AUTH_TOKEN"), (0x6, "GOING_AWAY"), (0x9, "EXCESSIVE_LOAD"),
        (0x10, "DOES_NOT_EXIST"), (0x11, "INVALID_RANGE"), (0x12, "MALFORMED_TRACK"),
        (0x19, "DUPLICATE_SUBSCRIPTION"), (0x20, "UNINTERESTED"), (0x30, "PREFIX_OVERLAP"),
        (0x31, "NAMESPACE_TOO_LARGE"), (0x32, "INVALID_JOINING_REQUEST_ID"), (0x33, "UNSUPPORTED_EXTENSION"),
        (0x34, "REDIRECT"),
    ]
    private static let request16: [(UInt64, String)] = [
        (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
        (0x4, "MALFORMED_AUTH_TOKEN"), (0x5, "EXPIRED_AUTH_TOKEN"), (0x10, "DOES_NOT_EXIST"),
        (0x11, "INVALID_RANGE"), (0x12, "MALFORMED_TRACK"), (0x19, "DUPLICATE_SUBSCRIPTION"),
        (0x20, "UNINTERESTED"), (0x30, "PREFIX_OVERLAP"), (0x32, "INVALID_JOINING_REQUEST_ID"),
    ]
    private static let request14: [(RequestKind, [(UInt64, String)])] = [
        (
            .subscribe,
            [
                (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
                (0x4, "TRACK_DOES_NOT_EXIST"), (0x5, "INVALID_RANGE"), (0x10, "MALFORMED_AUTH_TOKEN"),
                (0x12, "EXPIRED_AUTH_TOKEN"),
            ]
        ),
        (
            .publish,
            [
                (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
                (0x4, "UNINTERESTED"),
            ]
        ),
        (
            .fetch,
            [
                (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
                (0x4, "TRACK_DOES_NOT_EXIST"), (0x5, "INVALID_RANGE"), (0x6, "NO_OBJECTS"),
                (0x7, "INVALID_JOINING_REQUEST_ID"), (0x8, "UNKNOWN_STATUS_IN_RANGE"), (0x9, "MALFORMED_TRACK"),
                (0x10, "MALFORMED_AUTH_TOKEN"), (0x12, "EXPIRED_AUTH_TOKEN"),
            ]
        ),
        (
            .publishNamespace,
            [
                (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
                (0x4, "UNINTERESTED"), (0x10, "MALFORMED_AUTH_TOKEN"), (0x12, "EXPIRED_AUTH_TOKEN"),
            ]
        ),
        (
            .subscribeNamespace,
            [
                (0x0, "INTERNAL_ERROR"), (0x1, "UNAUTHORIZED"), (0x2, "TIMEOUT"), (0x3, "NOT_SUPPORTED"),
                (0x4, "NAMESPACE_PREFIX_UNKNOWN"), (0x5, "NAMESPACE_PREFIX_OVERLAP"), (0x10, "MALFORMED_AUTH_TOKEN"),
                (0x12, "EXPIRED_AUTH_TOKEN"),
            ]
        ),
    ]

    @Test("Every code of a session has the number and the name of the draft", arguments: DraftProfile.all)
    func session(profile: DraftProfile) {
        // Up to draft 16 there was one more.
        let more: [(UInt64, String)] = profile.hasRequestLimit ? [(7, "TOO_MANY_REQUESTS")] : []
        for (number, name) in Self.session18 + more {
            let code = SessionErrorCode(wireValue: number, in: profile)
            #expect(code.name == name)
            #expect(code.wireValue(in: profile) == number)
        }
        #expect(SessionErrorCode(wireValue: 0x7FFF, in: profile) == .unknown(0x7FFF))
        #expect(SessionErrorCode.unknown(0x7FFF).name == "UNKNOWN")
        #expect(SessionErrorCode.unknown(0x7FFF).wireValue(in: profile) == 0x7FFF)
        // A code of a later draft becomes an internal error.
        #expect(SessionErrorCode.tooManyRequestUpdates.wireValue(in: profile) == 1)
        #expect(SessionErrorCode.tooManyRequestUpdates.name == "TOO_MANY_REQUEST_UPDATES")
    }

    @Test("Every code of a request has the number and the name of the draft")
    func request() {
        var tables: [(DraftProfile, RequestKind?, [(UInt64, String)])] = [
            (.draft18, nil, Self.request18), (.draft16, nil, Self.request16),
        ]
        tables += Self.request14.map { (.draft14, $0.0, $0.1) }
        for (profile, kind, table) in tables {
            for (number, name) in table {
                let code = RequestErrorCode(wireValue: number, in: profile, answering: kind)
                #expect(code.name(in: profile, answering: kind) == name, "\(profile), \(number)")
                #expect(code.wireValue(in: profile, answering: kind) == number, "\(profile), \(number)")
            }
            let unknown = RequestErrorCode(wireValue: 0x7FFF, in: profile, answering: kind)
            #expect(unknown == .unknown(0x7FFF))
            #expect(unknown.name(in: profile, answering: kind) == "UNKNOWN")
            #expect(unknown.wireValue(in: profile, answering: kind) == 0x7FFF)
        }
        // What the draft has no number for is an internal error.
        #expect(RequestErrorCode.redirect.wireValue(in: .draft16) == 0)
    }

    @Test("A message that its stream stands for gets the id of the request, or of the update that it answers")
    func requestIDs() {
        let stream = RequestID(4)
        let update = RequestID(6)
        var messages: [MoQMessage] = [
            .subscribeOk(SubscribeOk(trackAlias: TrackAlias(1))), .publishOk(PublishOk()),
            .publishDone(PublishDone(status: .trackEnded, streamCount: nil)),
            .fetchOk(FetchOk(endOfTrack: false, end: .group(1))), .requestOk(RequestOk()),
            .requestError(RequestError(code: .timeout)), .requestOk(RequestOk(answers: .requestUpdate)),
            .requestError(RequestError(answers: .requestUpdate, code: .timeout)),
        ]
        for index in messages.indices { messages[index].fillRequestID(stream, update: update) }
        #expect(messages.map(\.requestID) == Array(repeating: stream, count: 6) + [update, update])
        for index in messages.indices { messages[index].fillRequestID(RequestID(8)) }
        #expect(messages.map(\.requestID) == Array(repeating: stream, count: 6) + [update, update])
        var change = MoQMessage.requestUpdate(RequestUpdate(requestID: update))
        change.fillRequestID(stream)
        #expect(change == .requestUpdate(RequestUpdate(requestID: update, existingRequestID: stream)))
    }

    @Test("Requests have streams of their own as the draft says")
    func ownStreams() {
        let kinds = RequestKind.allCases
        #expect(kinds.filter { DraftProfile.draft14.hasOwnStream($0) }.isEmpty)
        #expect(kinds.filter { DraftProfile.draft16.hasOwnStream($0) } == [.subscribeNamespace])
        #expect(kinds.filter { DraftProfile.draft18.hasOwnStream($0) } == kinds.filter { $0 != .requestUpdate })
    }
}
