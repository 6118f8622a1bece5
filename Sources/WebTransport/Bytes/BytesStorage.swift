// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// The memory behind `Bytes`: one allocation, header and bytes together.
///
/// Bytes that a `Bytes` value covers never change again. Memory beyond every such range may still be written by the one
/// owner that appends to it (an `EgressQueue`), because nobody else can see it.
@safe
final class BytesStorage: ManagedBuffer<Int, UInt8> {
    /// Allocates room for at least `capacity` bytes, not initialised.
    static func allocate(capacity: Int) -> BytesStorage {
        let buffer = BytesStorage.create(minimumCapacity: capacity) { _ in capacity }
        // `create` on the subclass makes an instance of the subclass; its signature just does not say so.
        return unsafe unsafeDowncast(buffer, to: BytesStorage.self)
    }

    /// How many bytes were asked for.
    var byteCapacity: Int { self.header }

    /// The start of the bytes; valid as long as the storage is kept alive.
    var base: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(self.withUnsafeMutablePointerToElements { pointer in unsafe pointer })
    }
}
