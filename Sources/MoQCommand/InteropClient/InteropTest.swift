// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire
internal import PacketLoop

/// Runs one test case against a relay.
struct InteropTest: Sendable {
    /// The namespace of most cases.
    static let namespace = "moq-test/interop"
    /// The track of most cases.
    static let track = FullTrackName(namespace: TrackNamespace(path: namespace), name: "test-track")
    /// The track that does not exist.
    static let nowhere = FullTrackName(namespace: TrackNamespace(path: "nonexistent/namespace"), name: "test-track")
    /// How much later than the subscriber the publisher of ``InteropCase/subscribeBeforeAnnounce`` comes.
    private static let delay = Duration.milliseconds(500)

    /// The relay.
    let url: EndpointURL
    /// How to connect.
    let settings: ClientSettings
    /// Told of every step.
    let log: @Sendable (String) -> Void

    private typealias Problem = InteropVerdict.Problem

    /// The connections of a case, for the diagnostics, by the names of their roles.
    private final class Roles: Sendable {
        private let connections = Locked<[(role: String, connection: InteropConnection)]>([])

        func add(_ connection: InteropConnection, as role: String) {
            self.connections.withLock { $0.append((role, connection)) }
        }

        var all: [(role: String, connection: InteropConnection)] {
            self.connections.withLock { $0 }
        }
    }

    /// Runs the case. Always returns within the case's time and a little.
    func run(_ test: InteropCase) async -> InteropVerdict {
        let began = ContinuousClock.now
        let roles = Roles()
        let problem: Problem?
        do throws(Problem) {
            try await self.perform(test, roles)
            problem = nil
        } catch {
            problem = error
        }
        for entry in roles.all {
            await entry.connection.abandon()
        }
        let fields = roles.all.flatMap { entry in
            let prefix = entry.role.isEmpty ? "" : "\(entry.role)_"
            return [
                InteropVerdict.Field(name: "\(prefix)connection_id", value: entry.connection.connectionID),
                InteropVerdict.Field(name: "\(prefix)draft", value: "\(entry.connection.draft)"),
            ]
        }
        let elapsed = began.duration(to: .now) / .milliseconds(1)
        return InteropVerdict(
            name: test.rawValue,
            problem: problem,
            milliseconds: UInt64(max(0, elapsed.rounded())),
            fields: fields
        )
    }

    private func perform(_ test: InteropCase, _ roles: Roles) async throws(Problem) {
        let deadline = ContinuousClock.now.advanced(by: test.timeout)
        switch test {
        case .setupOnly:
            let connection = try await self.connect("", roles, deadline)
            try await connection.close(by: deadline)
        case .announceOnly, .publishNamespaceDone:
            let connection = try await self.connect("", roles, deadline)
            let deadline = ContinuousClock.now.advanced(by: test.timeout)
            try await self.announce(connection, deadline)
            if test == .publishNamespaceDone {
                try await connection.withdrawNamespace(by: deadline)
                self.log("withdrawn")
            }
            try await connection.close(by: deadline)
        case .subscribeError:
            let connection = try await self.connect("", roles, deadline)
            guard let error = try await connection.subscribe(Self.nowhere, by: deadline) else {
                throw Problem(
                    expected: connection.name(of: "SUBSCRIBE_ERROR"),
                    received: "SUBSCRIBE_OK",
                    message: "a track that does not exist was accepted"
                )
            }
            self.log("refused as expected: \(error)")
            try await connection.close(by: deadline)
        case .announceSubscribe:
            let publisher = try await self.connect("publisher", roles, deadline)
            try await self.announce(publisher, deadline)
            let subscriber = try await self.connect("subscriber", roles, deadline)
            if let error = try await subscriber.subscribe(Self.track, by: deadline) {
                throw Problem(
                    expected: "SUBSCRIBE_OK",
                    received: subscriber.name(of: "SUBSCRIBE_ERROR"),
                    message: "\(error)"
                )
            }
            self.log("subscribed")
            try await subscriber.close(by: deadline)
            try await publisher.close(by: deadline)
        case .subscribeBeforeAnnounce:
            try await self.subscribeBeforeAnnounce(roles, deadline)
        }
    }

    private func subscribeBeforeAnnounce(
        _ roles: Roles,
        _ deadline: ContinuousClock.Instant
    ) async throws(Problem) {
        let subscriber = try await self.connect("subscriber", roles, deadline)
        let asked = ContinuousClock.now
        async let answer = Self.answer(from: subscriber, by: deadline)
        try? await ContinuousClock().sleep(until: asked.advanced(by: Self.delay))
        let announced: Result<InteropConnection, Problem>
        do throws(Problem) {
            let publisher = try await self.connect("publisher", roles, deadline)
            try await self.announce(publisher, deadline)
            announced = .success(publisher)
        } catch {
            announced = .failure(error)
        }
        let result = await answer
        let publisher = try announced.get()
        // Both answers are right; silence is not.
        self.log(try result.get().map { "refused: \($0)" } ?? "subscribed")
        try await subscriber.close(by: deadline)
        try await publisher.close(by: deadline)
    }

    private static func answer(
        from subscriber: InteropConnection,
        by deadline: ContinuousClock.Instant
    ) async -> Result<MoQErrorText?, Problem> {
        do throws(Problem) {
            return .success(try await subscriber.subscribe(Self.track, by: deadline).map { "\($0)" })
        } catch {
            return .failure(error)
        }
    }

    private typealias MoQErrorText = String

    private func connect(
        _ role: String,
        _ roles: Roles,
        _ deadline: ContinuousClock.Instant
    ) async throws(Problem) -> InteropConnection {
        let connection = try await InteropConnection.connect(to: self.url, settings: self.settings, deadline: deadline)
        roles.add(connection, as: role)
        try await connection.setUp(by: deadline)
        self.log("\(role.isEmpty ? "" : "\(role) ")connected, \(connection.draft)")
        return connection
    }

    private func announce(
        _ connection: InteropConnection,
        _ deadline: ContinuousClock.Instant
    ) async throws(Problem) {
        try await connection.publishNamespace(Self.namespace, by: deadline)
        self.log("announced \(Self.namespace)")
    }
}
