// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import PacketLoop

/// Looks at the process's resident memory ten times a second and keeps the most there was. (loop)
final class MemoryWatch {
    private static let interval = Duration.milliseconds(100)

    /// What there was at the beginning, in KiB.
    let before: Int
    /// The most there was since, in KiB.
    private(set) var most: Int

    private let loop: PacketLoop
    private var timer: LoopTimer?

    /// Looks for the first time and goes on looking until ``stop()``.
    init(loop: PacketLoop) {
        self.loop = loop
        self.before = ProcessMemory.residentKiB
        self.most = self.before
        self.look()
    }

    /// Looks once more, for now.
    func update() {
        self.most = max(self.most, ProcessMemory.residentKiB)
    }

    /// Looks no more.
    func stop() {
        self.timer?.cancel()
    }

    private func look() {
        self.update()
        self.timer = self.loop.schedule(after: Self.interval) { [weak self] in self?.look() }
    }
}
