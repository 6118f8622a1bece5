// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

package import MoQWire

/// Where requests and their answers travel in a draft.
package struct Places {
    package let request: StreamContext
    package let profile: DraftProfile

    package init(_ profile: DraftProfile) {
        self.profile = profile
        self.request = profile.controlShape == .singleBidirectional ? .control : .requestStart
    }

    /// Where the answer to a request comes.
    package func answer(to kind: RequestKind) -> StreamContext {
        self.profile.controlShape == .singleBidirectional && kind != .subscribeNamespace
            ? .control
            : .responder(kind, answering: kind)
    }

    /// Where later messages of the side that made a request come.
    package func later(_ kind: RequestKind) -> StreamContext {
        self.profile.controlShape == .singleBidirectional && kind != .subscribeNamespace ? .control : .requester(kind)
    }
}
