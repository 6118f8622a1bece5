// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A C string for the places where the library keeps the pointer that it is given. Lives as long as this object.
@safe
final class CStringBox {
    let pointer: UnsafeMutablePointer<CChar>

    /// Copies the text up to its first NUL; nil when there is no memory.
    init?(_ text: String) {
        guard let pointer = unsafe strdup(text) else {
            return nil
        }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe free(self.pointer)
    }
}
