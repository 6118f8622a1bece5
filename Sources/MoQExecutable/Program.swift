// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQCommand

/// The program `moq`: everything it does is in `MoQCommand`, where tests reach it.
///
/// The target has another name than its product because `moq` and `MoQ` are one name to a file system that ignores case.
@main
enum Program {
    static func main() {
        CommandLineTool.main()
    }
}
