// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Testing
import WebTransport

@Suite("Transports send what is urgent first", .timeLimit(.minutes(1)))
struct PriorityConformance {
    @Test(
        "on a path that is full control goes before datagrams, and these before media",
        arguments: TransportKind.narrow
    )
    func order(kind: TransportKind) async throws {
        let controlSize = 60_000
        let datagramCount = 100
        let datagramSize = 1_000
        let mediaSize = 2_000_000
        var configuration = PairConfiguration()
        configuration.client.datagramMaximumAge = .seconds(20)
        configuration.client.streamHighWatermark = 1_500_000
        configuration.client.streamLowWatermark = 1_000_000
        configuration.server.streamReceiveWindow = 8 << 20
        try await kind.withPair(configuration) { pair in
            // What arrives in which order, and how many stream bytes had arrived then.
            try await pair.server { peer in
                peer.onOpen = { peer, stream, send in
                    let kind = send == nil ? "media" : "control"
                    peer.readers[stream.id]?.onReceive = { _ in
                        peer.notes.append("\(kind) \(peer.session.statistics.streamBytesReceived)")
                    }
                }
                peer.onDatagram = { peer, _ in
                    peer.notes.append("datagram \(peer.session.statistics.streamBytesReceived)")
                }
            }
            try await pair.client { peer in
                // In the middle of the media, with everything in flight that congestion control allows, come the others.
                let delegate = RecordingDelegate()
                peer.delegates["a"] = delegate
                delegate.onDrain = { _ in
                    delegate.onDrain = nil
                    #expect(peer.session.queuedByteCount > mediaSize)
                    for _ in 0..<datagramCount { try? peer.session.sendDatagram(Bytes(pattern(datagramSize))) }
                    let control = try? peer.session.openBidirectionalStream(priority: .control)
                    try? control?.send.write(Bytes(pattern(controlSize)))
                    try? control?.send.finish()
                }
                // The most urgent behind datagrams, and what nobody gave a priority.
                let urgent = StreamPriority(rawValue: StreamPriority.datagram.rawValue + 1)
                for priority in [urgent, .default] {
                    let stream = try peer.session.openUnidirectionalStream(priority: priority)
                    if priority == urgent { stream.delegate = delegate }
                    try stream.write(Bytes(pattern(mediaSize)))
                    try stream.finish()
                }
            }
            try await pair.until(.server, "all of it") { peer in
                peer.datagrams.count == datagramCount && peer.readers.values.filter(\.isFinished).count == 3
            }
            try await pair.server { peer in
                let notes = peer.notes
                func total(_ index: Int) throws -> Int {
                    try #require(notes[index].split(separator: " ").last.flatMap { Int($0) })
                }
                let firstControl = try #require(notes.firstIndex { $0.hasPrefix("control") })
                let lastControl = try #require(notes.lastIndex { $0.hasPrefix("control") })
                let firstDatagram = try #require(notes.firstIndex { $0.hasPrefix("datagram") })
                let lastDatagram = try #require(notes.lastIndex { $0.hasPrefix("datagram") })
                #expect(firstDatagram > lastControl)
                #expect(!notes[firstControl...lastControl].contains { $0.hasPrefix("media") })
                // Media fills what room datagrams leave in their packets, no more.
                let media = try total(lastDatagram) - total(lastControl)
                #expect(media < datagramCount * datagramSize / 4)
                #expect(try total(notes.count - 1) - total(lastDatagram) > mediaSize)
            }
        }
    }
}
