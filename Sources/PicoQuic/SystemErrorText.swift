// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the system calls an error number.
func systemErrorText(_ number: CInt) -> String {
    guard let text = unsafe strerror(number) else {
        return "error \(number)"
    }
    return unsafe String(cString: text)
}
