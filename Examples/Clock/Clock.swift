// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ExampleSupport
import Foundation
import MoQ
import MoQPicoQuic
import MoQWire
import PacketLoop
import WebTransport

/// Publishes the time once a second, or prints what another one publishes.
@main
enum Clock {
    static let track = FullTrackName(namespace: TrackNamespace(path: "example/clock"), name: "seconds")

    static func main() async {
        await Example.run(usage: "publish|subscribe [COUNT]") { client, arguments in
            if arguments[0] == "publish" {
                try await self.publish(client)
            } else {
                try await self.subscribe(client, count: arguments.dropFirst().first.flatMap { Int($0) } ?? .max)
            }
        }
    }

    /// Each second is a group of its own, so that a subscriber can begin with any of them.
    static func publish(_ client: MoQPicoQuicClient) async throws {
        let writer = try await client.session.publish(self.track)
        Example.say("publishing \(self.track)")
        while true {
            let now = Date()
            let group = try await writer.beginGroup(UInt64(now.timeIntervalSince1970))
            try await group.write(Bytes(utf8: now.formatted(.iso8601)))
            try await group.finish()
            try await Task.sleep(for: .seconds(1))
        }
    }

    static func subscribe(_ client: MoQPicoQuicClient, count: Int) async throws {
        let reader = try await client.session.subscribe(SubscribeRequest(track: self.track))
        var left = count
        for try await object in reader where object.status == .normal {
            Example.say(String(decoding: object.payload.array, as: UTF8.self))
            left -= 1
            if left == 0 {
                break
            }
        }
    }
}
