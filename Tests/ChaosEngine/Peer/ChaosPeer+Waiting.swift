// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import PacketLoop
import WebTransport

extension ChaosPeer {
    /// Has a task on the loop do something that must come to an end: when it can, when it is cancelled, or with the
    /// session.
    func wait(
        for what: String,
        patience: PeerScript.Patience,
        _ body: @escaping @Sendable (ChaosPeer) async -> Void
    ) {
        guard let session = self.session else { return }
        let bound = LoopBound((peer: self, session: session), on: self.loop)
        let context = self.context
        let name = "\(self.name): \(what)"
        self.waits += 1
        let task = Task(executorPreference: self.loop.tasks) {
            let (peer, session) = bound.value
            let isLost = await context.waiting(for: name) {
                guard !context.isDue(.loseWaiter) else {
                    await context.loseTask()
                    return true
                }
                await body(peer)
                return false
            }
            if !isLost { peer.wentOn(session) }
        }
        guard let patience else { return }
        self.loop.schedule(after: .milliseconds(patience)) { task.cancel() }
    }

    /// Sees, when all have gone on, that the session knows.
    private func wentOn(_ session: any WebTransportSession) {
        self.waits -= 1
        self.expect(self.loop.isOnLoop, .waiter, "a task that waited goes on elsewhere")
        self.context.count("waits")
        guard self.isOver, self.waits == 0 else { return }
        let statistics = session.statistics
        self.expect(
            statistics.waitsBegun == statistics.waitsEnded,
            .waiter,
            "\(statistics.waitsBegun) waits began, \(statistics.waitsEnded) ended"
        )
    }

    /// Writes to a stream as soon as there is room.
    func awaitRoom(_ pick: Int, _ patience: PeerScript.Patience) {
        guard let writer = self.openWriter(pick) else { return }
        let bound = LoopBound(writer, on: self.loop)
        self.wait(for: "room on stream \(writer.id)", patience: patience) { _ in await bound.value.writeWithRoom() }
    }

    /// Opens a stream as soon as there may be one more.
    func awaitCredit(isUnidirectional: Bool, _ shape: StreamShape, _ patience: PeerScript.Patience) {
        self.wait(for: "a stream", patience: patience) { peer in
            guard let session = peer.session else { return }
            do throws(WebTransportError) {
                try await session.waitForStreamCredit(unidirectional: isUnidirectional)
                let credit = session.streamCredit(unidirectional: isUnidirectional)
                peer.expect(credit > 0, .waiter, "who waited for a stream went on without one")
                peer.open(shape, isUnidirectional: isUnidirectional)
            } catch {
                peer.judge(error, "waiting for a stream failed")
            }
        }
    }

    /// Opens no more streams, and waits until none is left.
    func drain(_ patience: PeerScript.Patience) {
        guard let session = self.session, !self.hasDrained else { return }
        self.hasDrained = true
        self.context.count("sessions drained")
        session.drain()
        self.wait(for: "the end of all streams", patience: patience) { peer in
            guard let session = peer.session else { return }
            do throws(WebTransportError) {
                try await session.waitUntilDrained()
                let live = session.statistics.streamsLive
                peer.expect(live == 0, .waiter, "who waited for the end of all streams went on with \(live)")
            } catch {
                peer.judge(error, "waiting for the end of all streams failed")
            }
        }
    }

    /// Accepts that a wait failed because its task was cancelled, or because no stream is to be had any more.
    private func judge(_ error: WebTransportError, _ what: String) {
        if error.code == .cancelled {
            self.expect(Task.isCancelled, .waiter, "\(what), and was not cancelled: \(error)")
        } else {
            self.judge(error, expected: .sessionDraining, what)
        }
    }
}
