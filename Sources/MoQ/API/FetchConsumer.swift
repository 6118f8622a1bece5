// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire
public import WebTransport

/// Takes what a fetch delivers, in the order of the request. Caches and ``FetchPublisher`` implement it, and so can be
/// chained without a copy or a hop.
///
/// Used on the loop only, synchronously. ``fetchEnded(_:)`` comes once and last. A consumer may close the session or
/// cancel the fetch from inside any of these calls.
public protocol FetchConsumer: AnyObject {
    /// An object begins. `payloadLength` bytes follow in any number of calls of ``receive(payload:)``, none if it is 0.
    ///
    /// What lies between the object and what came last, in the order of the request, does not exist.
    func beginObject(_ object: FetchObjectHeader)
    /// The next part of the object that began last. The bytes are shared, not copied.
    func receive(payload: Bytes)
    /// Everything after what came last up to this location, which is included, is left out: it does not exist, or the
    /// publisher does not know whether it does.
    func endRange(_ gap: FetchGap, through location: Location)
    /// Nothing more will come. When the outcome is ``FetchOutcome/complete``, what lies between the last object and the
    /// end that FETCH_OK named does not exist.
    func fetchEnded(_ outcome: FetchOutcome)
}

/// How a fetch ended for the side that asked, after it was accepted.
public enum FetchOutcome: Hashable, Sendable {
    /// Everything was delivered.
    case complete
    /// The publisher gave the response up; or the stream broke a limit of this side (INTERNAL_ERROR), or never came
    /// (DELIVERY_TIMEOUT). The object that began last may be incomplete.
    case reset(StreamResetCode)
    /// The publisher broke the rules of the object model; the text says which. What came before stands.
    case malformedTrack(String)
    /// This side cancelled the fetch.
    case cancelled
    /// The session closed.
    case sessionClosed

    /// The code to reset a stream with that passes the fetch on; nil when it is complete.
    public var resetCode: StreamResetCode? {
        switch self {
        case .complete: nil
        case .reset(let code): code
        case .malformedTrack: .malformedTrack
        case .cancelled: .cancelled
        case .sessionClosed: .internalError
        }
    }
}
