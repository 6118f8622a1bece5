// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop

/// Lends the loop and the context of an endpoint a thread: carries packets between the network and the library, and gives
/// the loop its turns.
///
/// Used once: ``start()``, then ``end()`` on the loop or a failure of its own, ``waitForEnd()``, ``join()``.
protocol EndpointDriver: AnyObject, Sendable {
    var loop: PacketLoop { get }
    var context: QUICContext { get }

    /// Starts the thread and waits until its sockets are bound.
    /// - Returns: the port.
    func start() async throws(QUICError) -> UInt16

    /// Whether the thread has come to its end, as asked or because it failed: set before the connections are told.
    var isEnding: Bool { get }

    /// Ends the thread at the end of its present round. (loop)
    func end()

    /// Waits until the thread has let go of everything.
    func waitForEnd() async

    /// Joins the thread. After ``waitForEnd()``, once, not on that thread.
    func join()
}
