// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquicShims

/// What all contexts of the process share inside the library.
enum QUICLibrary {
    /// Filled once: the tables are shared by all contexts, guarded by nothing, and must not change under them.
    private static let preparation: Void = {
        cpq_prepare_library()
    }()

    /// Makes the library ready for its first context. Idempotent, callable from any thread; when several call at once
    /// none returns before it is done.
    static func prepare() {
        _ = self.preparation
    }
}
