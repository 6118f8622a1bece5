// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import ChaosEngine

@main
enum Program {
    static func main() async {
        await ChaosCommand.main()
    }
}
