// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import WebTransport
import WebTransportInMemory

/// A client on draft 14 that leaves the order of a FETCH to the publisher, as sessions of ours do not.
final class RawFetcher: WebTransportHandler, ReceiveStreamReader {
    private let link: InMemoryLink
    private let codec = MessageCodec(profile: .draft14, role: .client)
    private var control: SendStream?
    private var context = StreamContext.controlStart
    /// The answers.
    private(set) var messages: [MoQMessage] = []
    /// What came on the stream of the objects.
    private(set) var data: [UInt8] = []

    init(_ world: RelayWorld) {
        self.link = InMemoryLink(loop: world.loop, configuration: InMemoryLinkConfiguration())
        world.relay.accept(self.link.server, profile: .draft14)
    }

    /// Fetches whole groups.
    func fetch(_ track: FullTrackName, groups: ClosedRange<UInt64>) throws {
        self.link.client.handler = self
        let stream = try self.link.client.openBidirectionalStream(priority: .control)
        self.control = stream.send
        stream.receive.reader = self
        var options = SetupOptions(maxRequestID: RequestID(100))
        options.versions = [DraftVersion.draft14.setupNumber]
        let target = FetchTarget.standalone(
            track: track,
            start: Location(group: groups.lowerBound, object: 0),
            end: .group(groups.upperBound)
        )
        try stream.send.write(Bytes(try self.codec.encode(.setup(Setup(options: options)))))
        try stream.send.write(Bytes(try self.codec.encode(.fetch(Fetch(requestID: RequestID(0), target: target)))))
    }

    func close() {
        self.link.client.close(code: 0, reason: "")
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: ReceiveStream) {
        stream.reader = self
    }

    func transport(_ transport: any WebTransportSession, didOpen stream: BidirectionalStream) {}

    func transport(_ transport: any WebTransportSession, didReceiveDatagram bytes: RawSpan) {}

    func transport(_ transport: any WebTransportSession, didClose info: WebTransportCloseInfo) {}

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        guard !stream.id.isUnidirectional else {
            self.data += Bytes(copying: bytes).array
            return bytes.byteCount
        }
        var offset = 0
        while offset < bytes.byteCount,
            case .message(let message, let count)? = try? self.codec.decode(
                bytes.extracting(offset...),
                on: self.context
            )
        {
            offset += count
            self.context = .control
            self.messages.append(message)
        }
        return offset
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {}

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {}
}
