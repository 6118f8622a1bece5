// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import WebTransport

/// What a simulated link is like, and the sessions at its ends.
public struct InMemoryLinkConfiguration: Sendable {
    /// How long a packet travels in one direction.
    public var latency = Duration.milliseconds(5)
    /// The share of packets that are lost, from 0 to 1. Stream data and control are sent again, datagrams are not.
    public var loss = 0.0
    /// What the losses are drawn from: the same seed gives the same run.
    public var seed: UInt64 = 1
    /// How many bytes a packet holds.
    public var packetSize = 1_200
    /// How many bytes may be on their way without being acknowledged.
    public var congestionWindow = 256 << 10
    /// How many bytes per second one direction carries; nil for as many as the congestion window allows.
    public var bytesPerSecond: Int?
    /// The size of the largest datagram; 0 for a link without datagrams.
    public var maximumDatagramSize = 1_100
    /// The application protocol that both sides find agreed on.
    public var negotiatedProtocol: String? = "moqt-18"
    /// Whether the sessions pass for ones whose transport carries the URI.
    public var carriesURI = false
    /// The bounds of the client's session. What it may receive is what the server may send.
    public var client = WebTransportConfiguration()
    /// The bounds of the server's session.
    public var server = WebTransportConfiguration()

    /// A quick link without loss.
    public init() {}
}
