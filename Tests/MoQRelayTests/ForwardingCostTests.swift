// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter
import MoQWire
import RelayStage
import Testing

/// What the relay and its sessions allocate for a forwarded object. Datagrams, where a build that is not optimised allocates for
/// itself, and what is retained are counted by Scripts/benchmarks.
@Suite("The cost of forwarding", .enabled(if: allocation_counter_is_available()), .timeLimit(.minutes(2)))
struct ForwardingCostTests {
    @Test(
        "An object goes to one subscriber more without an allocation",
        arguments: [StageScene.small, .large, .packets],
        DraftProfile.all
    )
    func subscriber(scene: StageScene, profile: DraftProfile) {
        let cost = ForwardingStage.cost(of: scene, profile: profile)
        // Once in a megabyte the queues are measured, which allocates as long as the compiler does not optimise it.
        #expect(abs(cost.subscriber.allocations) < 0.05)
        // The memory of the payload, in however many packets it arrives, and the object that the relay remembers.
        #expect(cost.ingress.allocations >= 2)
        #expect(cost.ingress.allocations < 5)
    }

    @Test("Everything that arrives on the stage leaves it for every subscriber", arguments: StageScene.all)
    func everything(scene: StageScene) {
        let stage = ForwardingStage(scene, subscribers: 3, profile: .draft18)
        stage.round(objects: 10)
        stage.round(objects: 5)
        #expect(stage.objectsOut == 45)
        #expect(stage.bytesOut > 45 * scene.objectSize)
        #expect(stage.bytesOut < 45 * (scene.objectSize + 32))
        stage.close()
    }
}
