// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#if os(Linux)
import CLoopSupport

/// Waits for the sockets of an endpoint, for time to pass, and for other threads. (loop)
///
/// ``wake()`` alone is for other threads. It must not be called any more when the last reference goes.
final class EpollPoller: @unchecked Sendable {
    // Unchecked because the descriptors are written in the initialiser only, and the calls on them need no lock.

    private var poller = cls_poller()

    /// Whether it waits in microseconds; else in milliseconds, rounded up.
    var isPrecise: Bool { self.poller.is_coarse == 0 }

    /// Opens one, with those `features` that the system has.
    /// - Throws: `systemFailure` when there are no more descriptors.
    init(features: SystemFeatures) throws(QUICError) {
        let outcome = unsafe cls_poller_open(&self.poller, features.contains(.preciseWaits) ? 1 : 0)
        guard outcome == 0 else {
            throw QUICError(.systemFailure, "cannot wait for packets: \(systemErrorText(-outcome))")
        }
    }

    deinit {
        unsafe cls_poller_close(&self.poller)
    }

    /// Waits for what arrives at a socket from now on.
    func add(_ socket: UDPSocket, number: Int) throws(QUICError) {
        let outcome = unsafe cls_poller_add(&self.poller, socket.descriptor, UInt32(number))
        guard outcome == 0 else {
            throw QUICError(.systemFailure, "cannot wait for a socket: \(systemErrorText(-outcome))")
        }
    }

    /// Whether to wait for room to send as well.
    func watchRoom(of socket: UDPSocket, number: Int, _ watches: Bool) {
        _ = unsafe cls_poller_watch_room(&self.poller, socket.descriptor, UInt32(number), watches ? 1 : 0)
    }

    /// Ends the wait, or the next one.
    func wake() {
        unsafe cls_poller_wake(&self.poller)
    }

    /// Waits until something happens, but not longer than so many microseconds. During the first of them, as many as
    /// are `polled`, it does not sleep but looks.
    func wait(_ microseconds: UInt64, polled: UInt64 = 0) throws(QUICError) -> cls_ready {
        var ready = cls_ready()
        let outcome = unsafe cls_poller_wait(&self.poller, microseconds, polled, &ready)
        guard outcome == 0 else {
            throw QUICError(.systemFailure, "the wait for packets failed: \(systemErrorText(-outcome))")
        }
        return ready
    }
}
#endif
