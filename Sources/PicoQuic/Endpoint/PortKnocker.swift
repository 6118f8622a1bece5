// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import CPicoquicShims
import PacketLoop

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Notices that nobody has a UDP port, long before a handshake with it times out. (loop)
///
/// The host of a closed port says so (ICMP port unreachable), but the system passes that on only to a socket that is
/// connected to the address. Those of the library's loop are not, and would end the loop if they heard it. So, while an
/// address keeps silent, a socket of its own sends it a byte now and then, which a QUIC endpoint has to ignore because it
/// cannot be a packet (RFC 9000 section 17), and which a host without one answers. Peers that answer at once never see it.
final class PortKnocker {
    /// How long a peer may take to answer before the first knock. The pause doubles with each.
    private static let firstPause: Duration = .milliseconds(30)

    private let address: SocketAddress
    private let loop: PacketLoop
    private let isAnswered: () -> Bool
    private var onRefusal: (() -> Void)?
    private var timer: LoopTimer?
    private var descriptor: CInt = -1

    /// Starts to watch an address.
    /// - Parameters:
    ///   - isAnswered: whether the peer has been heard of, which ends the watch.
    ///   - onRefusal: called at most once, outside the library's callbacks.
    init(
        address: SocketAddress,
        loop: PacketLoop,
        isAnswered: @escaping () -> Bool,
        onRefusal: @escaping () -> Void
    ) {
        self.address = address
        self.loop = loop
        self.isAnswered = isAnswered
        self.onRefusal = onRefusal
        self.wait(Self.firstPause)
    }

    deinit {
        self.stop()
    }

    /// Ends the watch.
    func stop() {
        self.onRefusal = nil
        self.timer?.cancel()
        self.timer = nil
        if self.descriptor >= 0 {
            close(self.descriptor)
            self.descriptor = -1
        }
    }

    private func wait(_ pause: Duration) {
        self.timer = self.loop.schedule(after: pause) { [weak self] in
            self?.knock(then: pause * 2)
        }
    }

    private func knock(then pause: Duration) {
        guard let onRefusal = self.onRefusal, !self.isAnswered() else {
            self.stop()
            return
        }
        if self.descriptor < 0 {
            self.descriptor = unsafe self.address.withPointer { unsafe cpq_open_knocker($0) }
        }
        guard self.descriptor >= 0 else {
            // Without a socket to spare the handshake's timeout has to do.
            self.stop()
            return
        }
        if cpq_knock(self.descriptor) == ECONNREFUSED {
            self.stop()
            onRefusal()
        } else {
            self.wait(pause)
        }
    }
}
