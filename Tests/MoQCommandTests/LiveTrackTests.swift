// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQ
import MoQWire
import PacketLoop
import Testing
import WebTransport
import WebTransportInMemory

@testable import MoQCommand

/// What `moq pub` does with its subscribers, over a simulated link in virtual time.
@Suite("A track and its subscribers", .timeLimit(.minutes(1)))
struct LiveTrackTests {
    /// Notes the objects, and the streams that carry them.
    private final class Recorder: TrackConsumer {
        private final class Stream: SubgroupConsumer {
            let group: UInt64
            unowned let recorder: Recorder

            init(group: UInt64, recorder: Recorder) {
                self.group = group
                self.recorder = recorder
            }

            func beginObject(_ object: ObjectHeader) {
                self.recorder.locations.append(Location(group: self.group, object: object.objectID))
            }

            func receive(payload: Bytes) {}

            func finish() {
                self.recorder.ends.append("finished")
            }

            func reset(_ code: StreamResetCode) {
                self.recorder.ends.append("\(code)")
            }
        }

        fileprivate(set) var locations: [Location] = []
        fileprivate(set) var ends: [String] = []
        private(set) var subgroups: [SubgroupDescription] = []

        func beginSubgroup(_ subgroup: SubgroupDescription) -> (any SubgroupConsumer)? {
            self.subgroups.append(subgroup)
            return Stream(group: subgroup.group, recorder: self)
        }

        func receive(_ datagram: ObjectDatagram, payload: Bytes) {}
        func trackEnded(_ end: TrackEnd) {}
    }

    /// A publisher with its track, and a subscriber.
    private final class Scene {
        static let name = FullTrackName(namespace: TrackNamespace(["a"]), name: "t")

        let driver: ManualLoopDriver
        let track = LiveTrack()
        let recorder = Recorder()
        let sessions: [MoQSession]
        private let link: InMemoryLink
        private(set) var subscription: Subscription?

        init(_ profile: DraftProfile) {
            let loop = ManualLoopDriver.makeLoop(label: "live track")
            self.driver = ManualLoopDriver(loop: loop)
            let link = InMemoryLink(loop: loop)
            self.link = link
            let handlers: [any MoQSessionHandler] = [
                PublishingPeer(track: self.track, name: Self.name, announces: false, events: { _ in }),
                AskingPeer(begun: { _ in }, ended: { _ in }),
            ]
            self.sessions = zip([link.server, link.client], handlers).map { transport, handler in
                MoQSession(
                    transport: transport,
                    loop: loop,
                    profile: profile,
                    configuration: MoQSessionConfiguration(),
                    handler: handler
                )
            }
            for session in self.sessions {
                session.start()
            }
            self.settle()
            self.subscription = self.sessions[1].subscribe(
                SubscribeRequest(track: Self.name),
                consumer: self.recorder,
                response: { _ in }
            )
            self.settle()
        }

        func settle() {
            self.driver.advance(by: .milliseconds(250))
        }

        func send(_ object: UInt64) {
            let payload = Bytes(utf8: "object \(object)")
            self.track.send(objectID: object, payload: ObjectCutter.Piece(parts: [payload], count: payload.count))
            self.settle()
        }

        func forward(_ forward: Bool) {
            self.subscription?.update(forward: forward) { _ in }
            self.settle()
        }

        func close() {
            for session in self.sessions {
                session.close()
            }
            self.settle()
        }
    }

    @Test("Who wants no objects for a while gets the rest of the group afterwards", arguments: DraftProfile.all)
    func pause(_ profile: DraftProfile) {
        let scene = Scene(profile)
        scene.track.beginGroup(7)
        scene.send(0)
        scene.send(1)
        scene.forward(false)
        #expect(!scene.track.hasReaders)
        scene.send(2)
        scene.forward(true)
        scene.send(3)
        scene.track.endGroup()
        scene.settle()
        #expect(scene.recorder.locations == [0, 1, 3].map { Location(group: 7, object: $0) })
        // A stream must not go on behind an object that it leaves out.
        #expect(scene.recorder.subgroups.map(\.group) == [7, 7])
        #expect(scene.recorder.subgroups.last?.isFirstObject == false)
        // The second stream lacks what was left out in between, and does not look complete either.
        #expect(scene.recorder.ends == ["cancelled", "cancelled"])
        scene.close()
    }

    @Test("Who misses no object meanwhile keeps its stream", arguments: DraftProfile.all)
    func shortPause(_ profile: DraftProfile) {
        let scene = Scene(profile)
        scene.track.beginGroup(7)
        scene.send(0)
        scene.forward(false)
        scene.forward(true)
        scene.send(1)
        scene.track.endGroup()
        scene.settle()
        #expect(scene.recorder.locations == [0, 1].map { Location(group: 7, object: $0) })
        #expect(scene.recorder.ends == ["finished"])
        scene.close()
    }
}
