// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Why something that a session was asked for did not happen.
public struct MoQError: Error, Hashable, Sendable {
    /// What kind of failure it was. More kinds may be added, so a `switch` over them needs a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, Hashable, Sendable {
            case sessionClosed
            case rejected
            case cancelled
            case cancelledByPeer
            case requestLimit
            case streamLimit
            case duplicateSubscription
            case prefixOverlap
            case goingAway
            case notExpressible
            case invalidState
            case superseded
            case endedEarly
            case limitExceeded
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The session is closed, or was closed before the answer came.
        public static let sessionClosed = Code(.sessionClosed)
        /// The peer answered with REQUEST_ERROR; ``MoQError/requestError`` says with which code.
        public static let rejected = Code(.rejected)
        /// The caller cancelled the request before it was answered.
        public static let cancelled = Code(.cancelled)
        /// The peer ended the request without answering it.
        public static let cancelledByPeer = Code(.cancelledByPeer)
        /// Too many requests wait for permission of the peer (draft-16 §9.5, "MAX_REQUEST_ID").
        public static let requestLimit = Code(.requestLimit)
        /// The peer allows no further stream at the moment.
        public static let streamLimit = Code(.streamLimit)
        /// The session has a subscription to this track in the same role already (draft-18 §5.1).
        public static let duplicateSubscription = Code(.duplicateSubscription)
        /// The prefix overlaps with that of another namespace subscription of the session (draft-18 §10.18).
        public static let prefixOverlap = Code(.prefixOverlap)
        /// The peer sent GOAWAY: requests belong on another session.
        public static let goingAway = Code(.goingAway)
        /// The draft in use cannot say what was asked for.
        public static let notExpressible = Code(.notExpressible)
        /// The request is not in a state in which this is possible.
        public static let invalidState = Code(.invalidState)
        /// The peer offered the same track with PUBLISH and that offer was accepted instead (draft-18 §5.1).
        public static let superseded = Code(.superseded)
        /// A track, or a fetch, ended before it was complete.
        public static let endedEarly = Code(.endedEarly)
        /// The peer sent more than this side is willing to keep.
        public static let limitExceeded = Code(.limitExceeded)

        /// The name of the kind.
        public var description: String {
            self.kind.rawValue
        }
    }

    /// What kind of failure it was.
    public var code: Code
    /// A sentence for people.
    public var message: String
    /// The code of the peer's REQUEST_ERROR, when there was one.
    public var requestError: RequestErrorCode?
    /// After how many milliseconds the peer allows another try; nil when it does not.
    public var retryAfter: UInt64?
    /// Where the peer says that the request belongs, when ``requestError`` is `.redirect` (draft-18 §10.6.1). Whether to go
    /// there is up to the application.
    public var redirect: Redirect?

    /// Makes an error of its parts.
    public init(
        code: Code,
        message: String,
        requestError: RequestErrorCode? = nil,
        retryAfter: UInt64? = nil,
        redirect: Redirect? = nil
    ) {
        self.code = code
        self.message = message
        self.requestError = requestError
        self.retryAfter = retryAfter
        self.redirect = redirect
    }

    /// The error for a REQUEST_ERROR of the peer.
    init(_ error: RequestError) {
        self.code = .rejected
        self.message = error.reason.text
        self.requestError = error.code
        self.retryAfter = error.retryAfter
        self.redirect = error.redirect
    }

    /// The error for requests that end with their session.
    init(_ closure: MoQSessionClosure) {
        self.code = .sessionClosed
        self.message = "session closed: \(closure)"
    }
}

extension MoQError: CustomStringConvertible {
    /// Kind, code and message in one line.
    public var description: String {
        guard let requestError = self.requestError else {
            return "\(self.code): \(self.message)"
        }
        guard let target = self.redirect?.connectURI, !target.isEmpty else {
            return "\(self.code) (\(requestError)): \(self.message)"
        }
        // The peer's words, so that control characters are escaped.
        return "\(self.code) (\(requestError) to \(target.debugDescription)): \(self.message)"
    }
}
