// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// The limits and habits of a session. The defaults suit a relay and its clients.
public struct MoQSessionConfiguration: Sendable {
    /// What this side says about itself in SETUP. `SetupOptions.maxRequestID` is filled in by the session.
    public var setup: SetupOptions
    /// The paths, each with its query, that a server has; nil for any. A client that names another one in its SETUP is closed
    /// with INVALID_PATH (draft-18 §10.3.1, "PATH"); one that names none is not.
    public var servedPaths: Set<String>?
    /// The authorities that a server has; nil for any. A client that names another one in its SETUP is closed with
    /// INVALID_AUTHORITY (draft-18 §10.3.1, "AUTHORITY"); one that names none is not.
    public var servedAuthorities: Set<String>?
    /// How long the peer may take to complete the setup; then the session closes with CONTROL_MESSAGE_TIMEOUT.
    public var setupTimeout: Duration
    /// How many requests the peer may have open at a time (MAX_REQUEST_ID, up to draft 16; later drafts: requests
    /// beyond it are answered EXCESSIVE_LOAD).
    public var maxPeerRequests: Int
    /// How long the first message of a bidirectional stream of the peer may take, once requests are taken; then the stream is
    /// given up.
    public var firstMessageTimeout: Duration
    /// How many of our requests may wait for the setup or for the peer's permission.
    public var maxWaitingRequests: Int
    /// How many REQUEST_UPDATEs of ours may wait for their answers, per subscription.
    public var maxWaitingUpdates: Int
    /// How many data streams may be held back because nobody knows their track alias yet. Further ones are stopped.
    public var maxHeldStreams: Int
    /// How long a data stream may be held back for that reason.
    public var heldStreamTimeout: Duration
    /// How long after PUBLISH_DONE streams that it announces may stay away (draft-18 §10.11).
    public var publishDoneTimeout: Duration
    /// How long after PUBLISH_DONE, which overtakes them easily, datagrams of a track that had some are waited for.
    public var lateDatagramTimeout: Duration
    /// How long after FETCH_OK the stream of the objects may stay away; then the fetch is given up.
    public var fetchStreamTimeout: Duration
    /// How many bytes a ``TrackPublisher`` may have queued before its subscriber counts as too far behind.
    public var maxQueuedBytesPerTrack: Int
    /// How many subgroups of a ``TrackPublisher`` may be open or undelivered before its subscriber counts as too far
    /// behind. A quarter of it, complete and undelivered, counts as being above the high watermark.
    public var maxSubgroupsPerTrack: Int
    /// Above this many queued bytes a ``TrackPublisher`` reports that it is above the high watermark.
    public var trackHighWatermark: Int
    /// At this many queued bytes or fewer it reports that it drained.
    public var trackLowWatermark: Int
    /// How long the transport may take no byte of a track that is above its high watermark, or that ends.
    public var stallTimeout: Duration
    /// How many namespaces a peer may announce in answer to one SUBSCRIBE_NAMESPACE; more are a protocol violation.
    public var maxNamespacesPerSubscription: Int
    /// How many bytes of properties an object of a peer may have.
    public var maxObjectPropertiesByteCount: Int
    /// The mandatory track properties that the application understands (draft-18 §2.5.1). Tracks with others are
    /// refused with UNSUPPORTED_EXTENSION.
    public var understoodMandatoryProperties: Set<UInt64>
    /// Decides, by the tokens that come with them, what the peer may do: whether it may have the session, and each of its
    /// requests. Nil allows everything.
    ///
    /// Called on the loop, synchronously, before the ``MoQSessionHandler`` hears of the request; one that is not allowed does
    /// not reach it. Tokens may come by alias only when `setup.maxAuthTokenCacheSize` says how many bytes of them this side
    /// keeps.
    public var authorizer: (@Sendable (AuthorizationRequest) -> AuthorizationDecision)?
    /// Tokens for every request of this side that brings none of its own.
    ///
    /// The session registers them with the peer, as far as that has room for them, and sends an alias from then on; that goes
    /// for the tokens of single requests, too. A token of `setup`, which goes out before it is known whether there is room,
    /// is registered there only when it is given so.
    public var requestTokens: [AuthorizationToken]

    /// The defaults.
    public init() {
        self.setup = SetupOptions(implementation: "moqingbird")
        self.servedPaths = nil
        self.servedAuthorities = nil
        self.setupTimeout = .seconds(10)
        self.maxPeerRequests = 1_024
        self.firstMessageTimeout = .seconds(10)
        self.maxWaitingRequests = 256
        self.maxWaitingUpdates = 64
        self.maxHeldStreams = 64
        self.heldStreamTimeout = .seconds(5)
        self.publishDoneTimeout = .seconds(5)
        self.lateDatagramTimeout = .milliseconds(100)
        self.fetchStreamTimeout = .seconds(30)
        self.maxQueuedBytesPerTrack = 16 << 20
        self.maxSubgroupsPerTrack = 4_096
        self.trackHighWatermark = 1 << 20
        self.trackLowWatermark = 512 << 10
        self.stallTimeout = .seconds(5)
        self.maxNamespacesPerSubscription = 65_536
        self.maxObjectPropertiesByteCount = 65_536
        self.understoodMandatoryProperties = []
        self.authorizer = nil
        self.requestTokens = []
    }
}
