// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport
import CPicoquic
import Testing

@testable import PicoQuic

extension UDPSocket {
    /// Sends bytes to a port of 127.0.0.1 as one message, which the kernel or the card cuts into segments unless their length is
    /// 0.
    func send(_ bytes: [UInt8], segment: Int = 0, toLocal port: UInt16) throws {
        var message = unsafe cls_message()
        unsafe message.segment = segment
        unsafe message.to = try #require(SocketAddress(host: "127.0.0.1", port: port)).raw
        let sent = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe message.bytes = buffer.baseAddress
            unsafe message.count = buffer.count
            return unsafe cls_send(self.descriptor, &message, 1)
        }
        #expect(sent == 1)
    }
}
#endif
