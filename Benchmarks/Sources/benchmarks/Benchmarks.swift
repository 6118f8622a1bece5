// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CAllocationCounter
import CReferenceCounter
import RelayStage

/// `benchmarks` prints what is counted: a line for each figure with its name, the allocations and the references.
/// `benchmarks --scene NUMBER SUBSCRIBERS` sends one round through a relay and counts nothing, for an instrument that counts
/// instructions; `benchmarks --scenes` lists the scenes. Scripts/benchmarks does all of that.
@main
enum Benchmarks {
    /// How many objects the round for an instrument has.
    static let objects = 100

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case nil:
            self.count()
        case "--scenes":
            for scene in StageScene.all {
                print(scene.name)
            }
        case "--scene":
            guard arguments.count == 3, let number = Int(arguments[1]), StageScene.all.indices.contains(number),
                let subscribers = Int(arguments[2]), subscribers > 0
            else {
                fatalError("usage: benchmarks --scene NUMBER SUBSCRIBERS")
            }
            self.run(StageScene.all[number], subscribers: subscribers)
        default:
            fatalError("usage: benchmarks [--scenes | --scene NUMBER SUBSCRIBERS]")
        }
    }

    private static func count() {
        guard allocation_counter_is_available(), reference_counter_is_available() else {
            fatalError("nothing can be counted with this allocator or this runtime")
        }
        for scene in StageScene.all {
            let cost = ForwardingStage.cost(of: scene)
            self.report("relay, \(scene.name), arriving", cost.ingress)
            self.report("relay, \(scene.name), per subscriber", cost.subscriber)
        }
        for figure in CodecCost.all() {
            self.report("codec, \(figure.name)", figure.count)
        }
    }

    /// Both halves of a pair are counted; more of one than of the other means that something is kept.
    private static func report(_ name: String, _ count: OperationCount) {
        print("\(name)\t\(count.allocations)\t\(max(count.retains, count.releases))")
    }

    private static func run(_ scene: StageScene, subscribers: Int) {
        let stage = ForwardingStage(scene, subscribers: subscribers)
        for _ in 0..<3 {
            stage.round(objects: self.objects)
        }
        stage.close()
    }
}
