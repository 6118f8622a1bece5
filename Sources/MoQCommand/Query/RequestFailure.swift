// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// A request that failed, told with the draft's own name and number of the code.
struct RequestFailure: Hashable, Sendable {
    /// The draft's name of the code; nil when the peer did not answer with one.
    var name: String?
    /// The number of the code in the draft.
    var code: UInt64?
    /// What the peer, or this side, says about it.
    var reason: String

    /// Tells a failure of a request of this kind.
    init(_ error: MoQError, of kind: RequestKind, in profile: DraftProfile) {
        self.reason = error.message
        guard let code = error.requestError else { return }
        self.name = code.name(in: profile, answering: kind)
        self.code = code.wireValue(in: profile, answering: kind)
    }

    /// One line for people: `DOES_NOT_EXIST (0x10): nobody publishes the track`.
    var text: String {
        guard let name = self.name, let code = self.code else {
            return self.reason
        }
        let label = "\(name) (0x\(String(code, radix: 16)))"
        return self.reason.isEmpty ? label : "\(label): \(self.reason)"
    }

    /// Adds the name, the number and the reason for programs, as `moq decode` writes a violation.
    func add(to object: inout JSONObject) {
        object.add("error", .text(self.name ?? "NO_ANSWER"))
        object.add("code", self.code)
        object.add("reason", .text(self.reason))
    }
}
