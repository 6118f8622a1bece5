// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// Everything that tells one draft from another on the wire, as data.
///
/// The codecs take a profile and know no draft by its number; a new draft is a new value of this type.
public struct DraftProfile: Sendable {
    /// What to do with a parameter that should not be there.
    public enum Reaction: Hashable, Sendable {
        /// Skip it.
        case ignore
        /// Close the session with PROTOCOL_VIOLATION.
        case violation
    }

    /// The fields of GOAWAY.
    public enum GoawayForm: Hashable, Sendable {
        /// Only the URI.
        case uri
        /// URI and timeout; on the control stream also a request id.
        case uriTimeoutRequestID
    }

    /// How requests and their answers say what the drafts have in common.
    public enum MessageForm: Hashable, Sendable {
        /// Each in fields of its own, and with answers of its own (draft 14).
        case fields
        /// In message parameters, and with answers for all (draft 15 and later).
        case parameters
    }

    /// The draft.
    public var version: DraftVersion
    /// How integers are written, and the types of setup options, parameters and properties.
    public var coding: KeyValueCoding
    /// Which streams carry control messages.
    public var controlShape: ControlShape
    /// How requests and their answers are written.
    public var messageForm: MessageForm
    /// Whether the setup messages negotiate the version.
    public var setupNegotiatesVersion: Bool
    /// Whether answers name the request they are for. If not, they come on the stream of the request.
    public var repliesCarryRequestID: Bool
    /// Whether the number of setup options is written before them. If not, they run to the end of the message.
    public var setupOptionsAreCounted: Bool
    /// The fields of GOAWAY.
    public var goawayForm: GoawayForm
    /// The least number of fields of a complete namespace. A prefix or suffix may always be empty.
    public var minimumNamespaceFields: Int
    /// Whether the end of an absolute filter is written as a distance from its start.
    public var filterEndGroupIsDelta: Bool
    /// Whether SUBSCRIBE_NAMESPACE says what it is interested in.
    public var subscribeNamespaceHasOptions: Bool
    /// Whether a REQUEST_OK can be the answer to PUBLISH, and can carry properties for TRACK_STATUS.
    public var requestOkAnswersPublish: Bool
    /// Whether the answer must be the first message of the other side on a stream for namespaces.
    public var namespaceAnswerComesFirst: Bool
    /// Whether REQUEST_ERROR can carry a redirect.
    public var hasRedirect: Bool
    /// Whether a delivery timeout of 0 among the properties of a track is allowed.
    public var zeroDeliveryTimeoutIsAllowed: Bool
    /// The stream count of PUBLISH_DONE that means "unknown".
    public var unknownStreamCount: UInt64
    /// What to do with a parameter that the draft does not define.
    public var unknownParameter: Reaction
    /// What to do with a parameter that belongs to other messages.
    public var misplacedParameter: Reaction
    /// What to do when a setup option that the draft defines is there more than once. The first one counts.
    public var repeatedSetupOption: Reaction
    /// Whether MAX_REQUEST_ID is a setup option.
    public var hasRequestLimit: Bool
    /// Which subscriptions a joining fetch may refer to.
    public var joiningRule: JoiningRule
    /// The message parameters.
    public var parameters: [ParameterDescriptor]
    /// The control messages. Where a number has two rows, or a message two numbers, the first row is the one to write.
    public var messages: [MessageDescriptor]
    /// The numbers of the codes.
    public var errors: ErrorTables
    /// The rules of data streams and datagrams.
    public var data: DataPlaneRules
}

extension DraftProfile {
    /// The drafts that are implemented, newest first.
    public static let all: [DraftProfile] = [.draft18, .draft16, .draft14]

    /// The profile of a draft, or nil when it is not implemented.
    public init?(version: DraftVersion) {
        guard let profile = Self.all.first(where: { $0.version == version }) else {
            return nil
        }
        self = profile
    }

    /// Whether a request of this kind opens a stream of its own. If not, it goes out on the control stream.
    public func hasOwnStream(_ kind: RequestKind) -> Bool {
        guard let kind = kind.opening else {
            return false
        }
        return self.message(kind: kind)?.places.contains(.requestStart) ?? false
    }

    /// Whether requests arrive in the order of their ids, because all of them share the control stream.
    public var requestsArriveInOrder: Bool {
        !RequestKind.allCases.contains { self.hasOwnStream($0) }
    }

    /// Whether an update of a request is answered, and says only what changes. If not, it says everything anew and can only
    /// narrow (draft-14 §9.10, "SUBSCRIBE_UPDATE").
    public var updatesAreAnswered: Bool {
        self.messageForm == .parameters
    }

    /// Whether a request may carry the same token twice (draft-18 §10.2.2 has that it may not).
    public var tokensMayRepeat: Bool {
        self.messageForm == .fields
    }

    /// Whether PUBLISH can say when the subscription that it offers will end.
    public var publishSaysExpiry: Bool {
        self.messageForm == .parameters
    }

    /// Whether a FETCH can leave the order of the groups to the publisher. If not, one without an order wants them ascending.
    public var fetchLeavesOrderToPublisher: Bool {
        self.messageForm == .fields
    }

    /// Whether what follows a PUBLISH_NAMESPACE or SUBSCRIBE_NAMESPACE names its namespace instead of the request.
    public var namespacesStandForRequests: Bool {
        self.messageForm == .fields
    }

    /// Whether NAMESPACE reports the namespaces that a SUBSCRIBE_NAMESPACE asks for. If not, each is announced with a
    /// PUBLISH_NAMESPACE, and the request is about namespaces and tracks alike (draft-14 §9.28).
    public var hasNamespaceReports: Bool {
        self.message(kind: .namespace) != nil
    }

    /// Whether all objects of a track are sent in one way, on streams or in datagrams (draft-14 §10.2). If not, each object
    /// has its own.
    public var tracksHaveOneForwardingPreference: Bool {
        self.data.objectsMayBeMissing
    }

    /// Whether there are properties that must be understood to handle a track (draft-18 §2.5.1). Drafts without a code
    /// for that have none.
    public var hasMandatoryProperties: Bool {
        self.errors.request.contains { $0.code == .unsupportedExtension }
    }

    /// Whether there is a SUBSCRIBE_TRACKS. If not, SUBSCRIBE_NAMESPACE is about tracks, too.
    public var hasSubscribeTracks: Bool {
        self.message(kind: .subscribeTracks) != nil
    }

    /// The row of the message with this number.
    func message(type: UInt64) -> MessageDescriptor? {
        self.messages.first { $0.type == type }
    }

    /// The row of this message.
    func message(kind: MessageKind) -> MessageDescriptor? {
        self.messages.first { $0.kind == kind }
    }

    /// The row of the parameter with this number.
    func parameter(type: UInt64) -> ParameterDescriptor? {
        self.parameters.first { $0.type == type }
    }
}

extension DraftProfile: Hashable {
    /// Profiles are the same when they are of the same draft.
    public static func == (lhs: DraftProfile, rhs: DraftProfile) -> Bool {
        lhs.version == rhs.version
    }

    /// Hashes the draft.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.version)
    }
}

extension DraftProfile: CustomStringConvertible {
    /// The draft, as in `draft-18`.
    public var description: String {
        self.version.description
    }
}
