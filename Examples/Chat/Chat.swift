// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ExampleSupport
import Foundation
import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import WebTransport

/// A room is a namespace, everybody in it publishes a track below it, and subscribes to those of the others.
@main
struct Chat {
    let client: MoQPicoQuicClient
    let room: TrackNamespace
    let name: String

    static func main() async {
        await Example.run(usage: "ROOM NAME") { client, arguments in
            let room = TrackNamespace(["example", "chat", arguments[0]])
            try await Chat(client: client, room: room, name: arguments[1]).run()
        }
    }

    /// Takes part until standard input ends.
    func run() async throws {
        let writer = try await self.client.session.publish(self.track(of: self.name))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.listen() }
            for await line in Self.lines() {
                // Every message is a group: who comes late begins with the next one.
                let message = try await writer.beginGroup()
                try await message.write(Bytes(utf8: line))
                try await message.finish()
            }
            try await writer.finish()
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, (error as? MoQError)?.code != .cancelled {
                    throw error
                }
            }
        }
    }

    /// Listens to everybody who is in the room, or comes in later.
    private func listen() async throws {
        let namespaces = try await self.client.session.namespaces(under: self.room)
        try await withThrowingDiscardingTaskGroup { group in
            for try await event in namespaces {
                if case .published(let namespace) = event, namespace != self.track(of: self.name).namespace {
                    group.addTask { await self.print(namespace) }
                }
            }
        }
    }

    /// Prints what one of the others says, until it leaves.
    private func print(_ namespace: TrackNamespace) async {
        let name = String(decoding: namespace.fields.last ?? [], as: UTF8.self)
        do {
            let reader = try await self.client.session.subscribe(SubscribeRequest(track: self.track(of: name)))
            Example.say("\(name) is here")
            for try await message in reader where message.status == .normal {
                Example.say("\(name): " + String(decoding: message.payload.array, as: UTF8.self))
            }
            Example.say("\(name) has left")
        } catch {
            if error.code != .cancelled {
                Example.say("\(name) is lost: \(error)")
            }
        }
    }

    private func track(of name: String) -> FullTrackName {
        FullTrackName(namespace: self.room.appending(TrackNamespace([name])), name: "messages")
    }

    /// The lines of standard input. Reading blocks, and so has a thread of its own.
    private static func lines() -> AsyncStream<String> {
        let (lines, input) = AsyncStream.makeStream(of: String.self)
        Thread.detachNewThread {
            while let line = readLine() {
                input.yield(line)
            }
            input.finish()
        }
        return lines
    }
}
