// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQRelay
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

/// A SUBSCRIBE_NAMESPACE written by hand on a stream of its own, beside a session: it says what a session of ours would not
/// say, and reads the answers. Draft 14 has no such stream.
final class RawNamespaceSubscriber: ReceiveStreamReader {
    private(set) var answers: [MoQMessage] = []
    private(set) var isFinished = false
    private(set) var resetCode: UInt64?
    private let client: TestClient
    private var send: SendStream?
    private var context = StreamContext.responder(.subscribeNamespace, answering: .subscribeNamespace)
    private static let firstID: UInt64 = 100

    init(client: TestClient) {
        self.client = client
    }

    /// Sends the request. `number` tells the requests of one session apart.
    func subscribe(_ path: String, interest: SubscribeNamespace.Interest = .namespaces, number: UInt64 = 0) throws {
        let codec = MessageCodec(profile: self.client.session.profile, role: .client)
        let request = SubscribeNamespace(
            requestID: RequestID(Self.firstID + 2 * number),
            prefix: TrackNamespace(path: path),
            interest: interest
        )
        let stream = try self.client.transport.openBidirectionalStream(priority: .request)
        self.send = stream.send
        stream.receive.reader = self
        try stream.send.write(Bytes(codec.encode(.subscribeNamespace(request))))
    }

    /// Asks to follow another prefix. To be called when the request was accepted.
    func move(to path: String, number: UInt64) throws {
        let codec = MessageCodec(profile: self.client.session.profile, role: .client)
        let id = RequestID(Self.firstID + 2 * number)
        self.context = .responder(.subscribeNamespace, answering: .requestUpdate)
        let update = RequestUpdate(requestID: id, namespacePrefix: TrackNamespace(path: path))
        try self.send?.write(Bytes(codec.encode(.requestUpdate(update))))
    }

    /// Takes the request back.
    func cancel() throws {
        try self.send?.finish()
    }

    /// The code of a REQUEST_ERROR.
    var refusal: RequestErrorCode? {
        guard case .requestError(let error) = self.answers.first else {
            return nil
        }
        return error.code
    }

    /// Whether REQUEST_OK came first.
    var isAccepted: Bool {
        guard case .requestOk = self.answers.first else {
            return false
        }
        return true
    }

    /// The suffixes of every NAMESPACE.
    var published: [TrackNamespace] {
        self.answers.compactMap {
            guard case .namespace(let message) = $0 else {
                return nil
            }
            return message.suffix
        }
    }

    /// The suffixes of every NAMESPACE_DONE.
    var withdrawn: [TrackNamespace] {
        self.answers.compactMap {
            guard case .namespaceDone(let message) = $0 else {
                return nil
            }
            return message.suffix
        }
    }

    func receiveStream(_ stream: ReceiveStream, didReceive bytes: RawSpan, isFinished: Bool) -> Int {
        let codec = MessageCodec(profile: self.client.session.profile, role: .client)
        var consumed = 0
        while consumed < bytes.byteCount,
            case .message(let message, let count)? = try? codec.decode(
                bytes.extracting(consumed..<bytes.byteCount),
                on: self.context
            )
        {
            self.answers.append(message)
            self.context = .responder(.subscribeNamespace, answering: nil)
            consumed += count
        }
        self.isFinished = self.isFinished || isFinished
        return consumed
    }

    func receiveStream(_ stream: ReceiveStream, wasResetWith code: UInt64) {
        self.resetCode = code
    }

    func receiveStreamSessionClosed(_ stream: ReceiveStream) {}
}
