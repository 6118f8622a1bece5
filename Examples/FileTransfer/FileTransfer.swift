// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ExampleSupport
import Foundation
import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import WebTransport

/// Publishes a file as a track, or receives one.
///
/// The first group says how large the file is; every further one is a mebibyte of it, in pieces. Groups travel on streams
/// of their own and may overtake each other, so a piece is written where its location says that it belongs.
@main
enum FileTransfer {
    static let pieceSize = 64 << 10
    static let piecesPerGroup = 16

    /// Why a file did not arrive.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static func main() async {
        await Example.run(usage: "send|receive NAME FILE") { client, arguments in
            let track = FullTrackName(namespace: TrackNamespace(path: "example/files"), name: arguments[1])
            let file = URL(fileURLWithPath: arguments[2])
            if arguments[0] == "send" {
                try await self.send(file, as: track, client)
            } else {
                try await self.receive(track, into: file, client)
            }
        }
    }

    /// Waits for somebody who wants the file, and sends it once.
    static func send(_ file: URL, as track: FullTrackName, _ client: MoQPicoQuicClient) async throws {
        let input = try FileHandle(forReadingFrom: file)
        let size = try input.seekToEnd()
        try input.seek(toOffset: 0)
        let writer = try await client.session.publish(track)
        Example.say("offering \(track), \(size) bytes")
        try await writer.waitForSubscriber()

        let header = try await writer.beginGroup(0)
        try await header.write(Bytes(utf8: "\(size)"))
        try await header.finish()
        var isComplete = false
        while !isComplete {
            var pieces: [Bytes] = []
            while pieces.count < self.piecesPerGroup, let piece = try input.read(upToCount: self.pieceSize),
                !piece.isEmpty
            {
                pieces.append(Bytes([UInt8](piece)))
            }
            isComplete = pieces.count < self.piecesPerGroup
            let group = try await writer.beginGroup()
            try await group.write(contentsOf: pieces)
            try await group.finish()
        }
        try await writer.finish()
        Example.say("sent \(size) bytes")
    }

    /// Receives the file and verifies that it is whole.
    static func receive(_ track: FullTrackName, into file: URL, _ client: MoQPicoQuicClient) async throws {
        guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
            throw Failure(description: "\(file.path) cannot be written")
        }
        let output = try FileHandle(forWritingTo: file)
        var size: UInt64?
        var received: UInt64 = 0
        for try await object in try await client.session.subscribe(SubscribeRequest(track: track))
        where object.status == .normal {
            let (group, piece) = (object.location.group, object.location.object)
            guard group > 0 else {
                size = UInt64(String(decoding: object.payload.array, as: UTF8.self))
                continue
            }
            let position = (group - 1) &* UInt64(self.piecesPerGroup) &+ piece
            try output.seek(toOffset: position &* UInt64(self.pieceSize))
            try output.write(contentsOf: object.payload.array)
            received += UInt64(object.payload.count)
        }
        try output.close()
        guard received == size else {
            throw Failure(description: "received \(received) bytes of \(size.map { "\($0)" } ?? "an unknown number")")
        }
        Example.say("received \(received) bytes")
    }
}
