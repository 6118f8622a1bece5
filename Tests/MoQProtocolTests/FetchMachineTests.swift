// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQProtocol
import MoQWire
import Testing

@Suite("Fetches")
struct FetchMachineTests {
    private func location(_ group: UInt64, _ object: UInt64) -> Location {
        Location(group: group, object: object)
    }

    @Test("A range is never empty")
    func range() {
        #expect(FetchRange(start: self.location(2, 3), end: .object(self.location(2, 2))) == nil)
        #expect(FetchRange(start: self.location(2, 3), end: .group(1)) == nil)
        #expect(FetchRange(start: self.location(2, 3), end: .object(self.location(2, 3))) != nil)
        #expect(FetchRange(start: self.location(2, 3), end: .group(2)) != nil)
        #expect(FetchRange(startGroup: 6, joining: self.location(5, 9)) == nil)
        let whole = FetchRange(groupsBack: 9, joining: self.location(5, 9))
        #expect(whole.start == self.location(0, 0))
        #expect(whole.end == .object(self.location(5, 9)))
        #expect(whole.contains(self.location(5, 9)))
        #expect(!whole.contains(self.location(5, 10)))
    }

    @Test("FETCH_OK ends with the request, or with what exists")
    func answer() throws {
        let largest = self.location(5, 9)
        let cases: [(end: FetchEnd, isComplete: Bool, answer: FetchEnd, endOfTrack: Bool)] = [
            (.group(4), true, .group(4), false),
            (.group(5), false, .object(largest), false),
            (.group(5), true, .object(largest), true),
            (.group(7), true, .object(largest), true),
            (.object(self.location(5, 8)), true, .object(self.location(5, 8)), false),
            (.object(largest), true, .object(largest), true),
            (.object(largest), false, .object(largest), false),
            (.object(self.location(5, 10)), false, .object(largest), false),
        ]
        for item in cases {
            let range = try #require(FetchRange(start: self.location(1, 0), end: item.end))
            let answer = range.answer(largest: largest, isTrackComplete: item.isComplete)
            #expect(answer == FetchRange.Answer(end: item.answer, endOfTrack: item.endOfTrack), "\(item)")
        }
        let late = try #require(FetchRange(start: self.location(5, 10), end: .group(9)))
        #expect(late.answer(largest: largest, isTrackComplete: true) == nil)
    }

    @Test("Groups follow the order, objects ascend, and ends of ranges may repeat what came last")
    func sequence() {
        var sequence = FetchSequence(groupOrder: .descending)
        let steps: [(isObject: Bool, location: Location, isRight: Bool)] = [
            (true, self.location(5, 2), true), (true, self.location(5, 2), false), (false, self.location(5, 2), true),
            (true, self.location(5, 1), false), (true, self.location(6, 0), false), (true, self.location(5, 3), true),
            (true, self.location(4, 0), true), (false, self.location(4, 9), true), (true, self.location(4, 9), false),
            (false, self.location(4, 8), false), (false, self.location(5, 0), false), (true, self.location(0, 0), true),
        ]
        for step in steps {
            let isRight =
                step.isObject
                ? sequence.admitObject(at: step.location) : sequence.admitEndOfRange(at: step.location)
            #expect(isRight == step.isRight, "\(step)")
        }
        var ascending = FetchSequence(groupOrder: .ascending)
        let first = ascending.admitObject(at: self.location(5, 0))
        let back = ascending.admitObject(at: self.location(4, 0))
        let on = ascending.admitObject(at: self.location(6, 0))
        #expect(first && !back && on)
    }

    @Test("The answer and the stream come in any order")
    func orders() throws {
        var answered = FetchMachine()
        let wait = try answered.receivedOk(.group(3), start: self.location(3, 7))
        let read = answered.streamOpened()
        let second = answered.streamOpened()
        #expect(wait == .awaitStream)
        #expect(read == .read)
        #expect(second == .stop)
        let state = answered.state
        #expect(state == .receiving)

        var early = FetchMachine()
        let hold = early.streamOpened()
        let again = early.streamOpened()
        let go = try early.receivedOk(.group(3), start: nil)
        #expect(hold == .hold)
        #expect(again == .stop)
        #expect(go == .readStream)

        var lost = FetchMachine()
        _ = lost.streamOpened()
        let isEnd = lost.streamReset(.cancelled)
        let end = try lost.receivedOk(.group(3), start: nil)
        #expect(!isEnd)
        #expect(end == .end(.cancelled))
        let lostState = lost.state
        #expect(lostState == .ended)
    }

    @Test("A second answer, and one that ends before the start, are violations; a late one is nothing")
    func violations() throws {
        var machine = FetchMachine()
        let start = self.location(3, 7)
        for end in [FetchEnd.group(2), .object(self.location(3, 5))] {
            let code = SessionMachineTests.code { () throws(ProtocolViolation) in
                _ = try machine.receivedOk(end, start: start)
            }
            #expect(code == .protocolViolation)
            let isRequested = machine.isRequested
            #expect(isRequested)
        }
        _ = try machine.receivedOk(.object(self.location(3, 6)), start: start)
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in
                _ = try machine.receivedOk(.group(3), start: start)
            } == .protocolViolation
        )
        #expect(
            SessionMachineTests.code { () throws(ProtocolViolation) in _ = try machine.receivedError() }
                == .protocolViolation
        )
        let state = machine.ended()
        let late = try machine.receivedOk(.group(0), start: start)
        let lateError = try machine.receivedError()
        let lateStream = machine.streamOpened()
        let lateReset = machine.streamReset(.cancelled)
        #expect(state == .answered)
        #expect(late == .nothing)
        #expect(!lateError && !lateReset)
        #expect(lateStream == .stop)
    }

    @Test("A response is accepted or refused once, and finished once")
    func response() {
        var machine = FetchResponseMachine()
        let early = machine.finish()
        let accepts = [machine.accept(), machine.accept()]
        let reject = machine.reject()
        let finishes = [machine.finish(), machine.finish()]
        let states = [machine.ended(), machine.ended()]
        #expect(!early && !reject)
        #expect(accepts == [true, false])
        #expect(finishes == [true, false])
        #expect(states == [.finishing, .ended])
        var refused = FetchResponseMachine()
        let isRefused = refused.reject()
        let isAccepted = refused.accept()
        #expect(isRefused && !isAccepted)
    }
}
