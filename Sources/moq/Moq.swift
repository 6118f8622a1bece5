// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQCommand

/// The program: everything it does is in `MoQCommand`, where tests reach it.
@main
struct Moq {
    static func main() {
        CommandLineTool.main()
    }
}
