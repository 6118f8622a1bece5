// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Authorization tokens")
struct TokenTests {
    private let red = AuthorizationCredential(type: 1, value: [1, 2, 3, 4])
    private let blue = AuthorizationCredential(type: 2, value: [1, 2, 3, 4])

    private func register(_ alias: UInt64, _ credential: AuthorizationCredential) -> AuthorizationToken {
        .register(alias: alias, type: credential.type, value: credential.value)
    }

    private func values(_ credentials: AuthorizationCredential...) -> [AuthorizationToken] {
        credentials.map { AuthorizationToken($0) }
    }

    /// What comes of tokens in a request: what they stand for, or the code that they close the session with.
    private func resolve(
        _ cache: inout TokenCache,
        _ tokens: AuthorizationToken...
    ) -> Result<[AuthorizationToken], ProtocolViolation> {
        do throws(ProtocolViolation) {
            return .success(try cache.resolve(tokens))
        } catch {
            return .failure(error)
        }
    }

    private func code(_ result: Result<[AuthorizationToken], ProtocolViolation>) -> SessionErrorCode? {
        guard case .failure(let violation) = result else {
            return nil
        }
        return violation.code
    }

    // MARK: Received

    @Test("An alias stands for its token until it is retired")
    func aliases() throws {
        var cache = TokenCache(capacity: 100)
        #expect(try cache.resolve([self.register(5, self.red)]) == self.values(self.red))
        #expect(try cache.resolve([.useAlias(5), AuthorizationToken(self.blue)]) == self.values(self.red, self.blue))
        #expect(try cache.resolve([.useAlias(5), .delete(alias: 5)]) == self.values(self.red))
        #expect(self.code(self.resolve(&cache, .useAlias(5))) == .unknownAuthTokenAlias)
        #expect(self.code(self.resolve(&cache, .delete(alias: 5))) == .unknownAuthTokenAlias)
        #expect(try cache.resolve([self.register(5, self.blue), .useAlias(5)]) == self.values(self.blue, self.blue))
        #expect(cache.count == 1)
    }

    @Test("A token counts 16 bytes and its value, and none exceeds the capacity")
    func sizes() throws {
        var cache = TokenCache(capacity: 40)
        _ = try cache.resolve([self.register(1, self.red), self.register(2, self.blue)])
        #expect(cache.size == 40)
        let empty = AuthorizationCredential(value: [])
        #expect(self.code(self.resolve(&cache, self.register(3, empty))) == .authTokenCacheOverflow)
        #expect(try cache.resolve([.delete(alias: 1), self.register(3, empty)]) == self.values(empty))
        #expect(cache.size == 36 && cache.count == 2)
        #expect(self.code(self.resolve(&cache, self.register(2, empty))) == .duplicateAuthTokenAlias)
    }

    @Test("A receiver without a cache takes tokens by value alone")
    func noCache() throws {
        var cache = TokenCache(capacity: 0)
        #expect(try cache.resolve(self.values(self.red)) == self.values(self.red))
        #expect(
            self.code(self.resolve(&cache, self.register(0, AuthorizationCredential(value: []))))
                == .authTokenCacheOverflow
        )
        #expect(self.code(self.resolve(&cache, .delete(alias: 1))) == .unknownAuthTokenAlias)
    }

    @Test("A registration in SETUP that finds no room counts as a plain token")
    func setup() throws {
        var cache = TokenCache(capacity: 20)
        let tokens = [self.register(1, self.red), self.register(2, self.blue)]
        #expect(try cache.resolveSetup(tokens, of: .client) == self.values(self.red, self.blue))
        #expect(cache.count == 1)
        #expect(self.code(self.resolve(&cache, .useAlias(2))) == .unknownAuthTokenAlias)
        #expect(try cache.resolve([.useAlias(1)]) == self.values(self.red))
    }

    @Test("SETUP refers to no alias of a client, and to none of a server that is unknown")
    func setupReferences() {
        for (sender, token, expected) in [
            (Role.client, AuthorizationToken.useAlias(1), SessionErrorCode.protocolViolation),
            (.client, .delete(alias: 1), .protocolViolation), (.server, .useAlias(1), .unknownAuthTokenAlias),
        ] {
            var cache = TokenCache(capacity: 100)
            let code = SessionMachineTests.code { () throws(ProtocolViolation) in
                _ = try cache.resolveSetup([token], of: sender)
            }
            #expect(code == expected)
        }
        var cache = TokenCache(capacity: 100)
        let twice = [self.register(1, self.red), self.register(1, self.blue)]
        let code = SessionMachineTests.code { () throws(ProtocolViolation) in
            _ = try cache.resolveSetup(twice, of: .client)
        }
        #expect(code == .duplicateAuthTokenAlias)
    }

    // MARK: Sent

    @Test("A token is registered once and referred to from then on")
    func registersOnce() {
        var registry = TokenRegistry()
        #expect(registry.references(to: [self.red], in: RequestID(0), onControlStream: true) == self.values(self.red))
        registry.setUp(limit: 100, registered: [], isOnControlStream: true)
        let first = registry.references(to: [self.red], in: RequestID(2), onControlStream: true)
        #expect(first == [self.register(0, self.red)])
        let second = registry.references(to: [self.red, self.blue], in: RequestID(4), onControlStream: true)
        #expect(second == [.useAlias(0), self.register(1, self.blue)])
        #expect(registry.size == 40 && registry.count == 2)
    }

    @Test("What was registered on another stream is sent by value until that request is answered")
    func otherStreams() {
        var registry = TokenRegistry()
        registry.setUp(limit: 100, registered: [], isOnControlStream: false)
        let first = registry.references(to: [self.red], in: RequestID(0), onControlStream: false)
        #expect(first == [self.register(0, self.red)])
        #expect(registry.references(to: [self.red], in: RequestID(2), onControlStream: false) == self.values(self.red))
        #expect(registry.references(to: [self.red], in: RequestID(4), onControlStream: true) == self.values(self.red))
        registry.answered(RequestID(2))
        #expect(registry.references(to: [self.red], in: RequestID(6), onControlStream: false) == self.values(self.red))
        registry.answered(RequestID(0))
        #expect(registry.references(to: [self.red], in: RequestID(8), onControlStream: false) == [.useAlias(0)])
    }

    @Test("What a request without an answer registered is sent by value for good")
    func unanswered() {
        var registry = TokenRegistry()
        registry.setUp(limit: 100, registered: [], isOnControlStream: false)
        _ = registry.references(to: [self.red], in: RequestID(0), onControlStream: false)
        registry.ended(RequestID(0))
        registry.answered(RequestID(0))
        #expect(registry.references(to: [self.red], in: RequestID(2), onControlStream: false) == self.values(self.red))
    }

    @Test("A token that the peer has no room for is sent by value")
    func noRoom() {
        var registry = TokenRegistry()
        registry.setUp(limit: 39, registered: [], isOnControlStream: true)
        let tokens = registry.references(to: [self.red, self.blue], in: RequestID(0), onControlStream: true)
        #expect(tokens == [self.register(0, self.red), AuthorizationToken(self.blue)])
        registry.setUp(limit: .max, registered: [], isOnControlStream: true)
        let large = AuthorizationCredential(value: Array(repeating: 0, count: 65_521))
        #expect(registry.references(to: [large], in: RequestID(2), onControlStream: true) == self.values(large))
    }

    @Test("Registrations of SETUP count as far as there was room, once the peer has shown that it has them")
    func setupRegistrations() {
        var registry = TokenRegistry()
        let tokens = [self.register(3, self.red), self.register(9, self.blue)]
        registry.setUp(limit: 30, registered: tokens, isOnControlStream: false)
        #expect(registry.size == 20)
        let before = registry.references(to: [self.red, self.blue], in: RequestID(0), onControlStream: false)
        #expect(before == self.values(self.red, self.blue))
        registry.answered(RequestID(0))
        let after = registry.references(to: [self.red, self.blue], in: RequestID(2), onControlStream: false)
        #expect(after == [.useAlias(3), AuthorizationToken(self.blue)])

        var ordered = TokenRegistry()
        ordered.setUp(limit: 100, registered: [self.register(3, self.red)], isOnControlStream: true)
        let both = ordered.references(to: [self.red, self.blue], in: RequestID(0), onControlStream: true)
        #expect(both == [.useAlias(3), self.register(4, self.blue)])
    }

    @Test(
        "Where there is no room, what was not used for the longest time is deleted, once nothing refers to it any more"
    )
    func deletes() {
        var registry = TokenRegistry()
        registry.setUp(limit: 40, registered: [], isOnControlStream: false)
        let green = AuthorizationCredential(type: 3, value: [1, 2, 3, 4])
        _ = registry.references(to: [self.red], in: RequestID(0), onControlStream: false)
        _ = registry.references(to: [self.blue], in: RequestID(2), onControlStream: false)
        // Neither is known to be there.
        #expect(registry.references(to: [green], in: RequestID(4), onControlStream: false) == self.values(green))
        registry.answered(RequestID(0))
        registry.answered(RequestID(2))
        #expect(registry.references(to: [self.red], in: RequestID(6), onControlStream: false) == [.useAlias(0)])
        #expect(registry.references(to: [self.blue], in: RequestID(8), onControlStream: false) == [.useAlias(1)])
        // Requests that refer to them are under way.
        #expect(registry.references(to: [green], in: RequestID(10), onControlStream: false) == self.values(green))
        registry.answered(RequestID(8))
        registry.answered(RequestID(6))
        let tokens = registry.references(to: [green, self.blue], in: RequestID(12), onControlStream: false)
        #expect(tokens == [.delete(alias: 0), self.register(2, green), .useAlias(1)])
        #expect(registry.size == 40 && registry.count == 2)
        #expect(registry.references(to: [self.red], in: RequestID(14), onControlStream: false) == self.values(self.red))
        registry.answered(RequestID(12))
        #expect(registry.references(to: [green], in: RequestID(16), onControlStream: false) == [.useAlias(2)])
        // A request that is over without an answer may still be read.
        registry.ended(RequestID(16))
        let again = registry.references(to: [self.red], in: RequestID(18), onControlStream: false)
        #expect(again == [.delete(alias: 1), self.register(3, self.red)])
    }

    @Test("What a deletion leaves free counts when it is known to have been read")
    func freed() {
        var registry = TokenRegistry()
        registry.setUp(limit: 56, registered: [], isOnControlStream: false)
        let large = AuthorizationCredential(value: Array(repeating: 7, count: 24))
        let small = AuthorizationCredential(value: [])
        _ = registry.references(to: [large, small], in: RequestID(0), onControlStream: false)
        registry.answered(RequestID(0))
        #expect(registry.size == 56)
        _ = registry.references(to: [small], in: RequestID(2), onControlStream: false)
        registry.answered(RequestID(2))
        let tokens = registry.references(to: [self.red], in: RequestID(4), onControlStream: false)
        #expect(tokens == [.delete(alias: 0), self.register(2, self.red)])
        // The peer may read the next request before that one, and then has no room.
        #expect(registry.size == 56)
        let next = registry.references(to: [self.blue], in: RequestID(6), onControlStream: false)
        #expect(next == self.values(self.blue))
        registry.answered(RequestID(4))
        #expect(registry.size == 36)
    }
}
