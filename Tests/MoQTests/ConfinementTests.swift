// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import Foundation
import MoQ
import MoQWire
import PacketLoop
import TestSupport
import Testing

/// Carries a session to where it must not be used.
private final class Smuggler: @unchecked Sendable {
    // Unchecked because it does what it is there to show.
    let session: MoQSession

    init(_ session: MoQSession) {
        self.session = session
    }

    /// Has `body` called on a thread that no loop has, and waits for it.
    func elsewhere(_ body: @escaping @Sendable (MoQSession) -> Void) {
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            body(self.session)
            done.signal()
        }
        thread.start()
        done.wait()
    }
}

@Suite("Confinement to the loop", .timeLimit(.minutes(2)))
struct ConfinementTests {
    enum Misuse: String, CaseIterable, Codable, Sendable {
        case close
        case subscribe
        case goaway

        func commit(on session: MoQSession) {
            switch self {
            case .close:
                session.close()
            case .subscribe:
                session.subscribeNamespace(TrackNamespace(path: "a"), events: { _ in }, response: { _ in })
            case .goaway:
                session.sendGoaway()
            }
        }
    }

    @Test(
        "A debug build stops at a call to a session from another thread",
        .enabled(if: TestBuild.isDebug),
        arguments: Misuse.allCases
    )
    func elsewhere(misuse: Misuse) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            [misuse = misuse as Misuse] in
            let harness = Harness.established(Variant.all[0])
            Smuggler(harness.client).elsewhere { misuse.commit(on: $0) }
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("this must be called on the packet loop"))
    }

    @Test("A session whose loop has stopped may be closed anywhere")
    func stopped() {
        let harness = Harness.established(Variant.all[0])
        harness.driver.stop()
        Smuggler(harness.client).elsewhere { $0.close() }
        #expect(!harness.client.isOpen)
    }
}
