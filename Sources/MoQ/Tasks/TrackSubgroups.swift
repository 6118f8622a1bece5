// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

/// What a subscription delivers, as a sequence of whole subgroups. See ``TrackReader/subgroups``.
///
/// A publisher that has one subgroup in each group, as most have, makes it a sequence of groups.
public struct TrackSubgroups: AsyncSequence, Sendable {
    /// A subgroup whose stream has ended.
    public struct Element: Sendable {
        /// Which one it is.
        public var description: SubgroupDescription
        /// Its objects, in order.
        public var objects: [TrackObject]
        /// Whether the publisher finished it; otherwise it gave it up, and objects may be missing at the end.
        public var isComplete: Bool
    }

    let reader: TrackReader

    /// Starts to read.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(reader: self.reader)
    }

    /// Collects objects until their subgroup has ended.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let reader: TrackReader
        private var open: [UInt64: [TrackObject]] = [:]
        private var heldByteCount = 0

        init(reader: TrackReader) {
            self.reader = reader
        }

        /// The next subgroup; nil at the end of the track.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(MoQError) -> Element? {
            while let item = try await self.reader.next() {
                switch item {
                case .object(_, stream: 0):
                    break
                case .object(let object, let stream):
                    self.heldByteCount += object.byteCount + ElementBuffer<TrackReader.Item>.overhead
                    guard self.heldByteCount <= TrackReaderConsumer.maximumUnfinishedByteCount else {
                        self.reader.cancel()
                        throw MoQError(code: .limitExceeded, message: "the subgroups that are open hold too much")
                    }
                    self.open[stream, default: []].append(object)
                case .end(let description, let stream, let isComplete):
                    let objects = self.open.removeValue(forKey: stream) ?? []
                    for object in objects {
                        self.heldByteCount -= object.byteCount + ElementBuffer<TrackReader.Item>.overhead
                    }
                    return Element(description: description, objects: objects, isComplete: isComplete)
                }
            }
            return nil
        }
    }
}
