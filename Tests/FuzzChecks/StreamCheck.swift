// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire

/// Subgroup and fetch streams: read at once, read in pieces, written again.
///
/// An input is the draft, options, a seed for the cuts, and the bytes of the stream.
enum StreamCheck {
    enum Kind {
        case subgroup
        case fetch
    }

    /// What a stream says. Payload that comes in several pieces is one item.
    enum Item: Hashable {
        case subgroup(SubgroupHeader)
        case fetch(RequestID)
        case object(ObjectHeader)
        case fetched(FetchObjectHeader)
        case gap(FetchGap, Location)
        case payload([UInt8], isComplete: Bool)
    }

    /// What reading a stream came to.
    private struct Reading: Hashable {
        var items: [Item] = []
        var error: MoQWireError?
        var unread = 0
    }

    /// What the second byte of an input chooses.
    private struct Options {
        let propertiesLimit: Int
        let groupOrder: GroupOrder
        let emptyObjectsCarryStatus: Bool

        init(_ byte: UInt8) {
            self.propertiesLimit = byte & 1 == 0 ? SubgroupStreamParser.defaultPropertiesLimit : 64
            self.groupOrder = byte & 2 == 0 ? .ascending : .descending
            self.emptyObjectsCarryStatus = byte & 4 != 0
        }
    }

    static func run(_ bytes: [UInt8], kind: Kind) throws(FuzzFinding) {
        var input = FuzzInput(bytes)
        let profile = input.draft()
        let options = Options(input.byte())
        var random = FuzzRandom(input.byte())
        let stream = input.rest()
        let whole = try Self.read([stream], Parser(kind, profile, options), limit: options.propertiesLimit)
        let pieces = random.cut(stream)
        let inPieces = try Self.read(pieces, Parser(kind, profile, options), limit: options.propertiesLimit)
        try require(whole == inPieces, "\(whole) at once, \(inPieces) in \(pieces.count) pieces")
        guard !whole.items.isEmpty, let again = try Self.encode(whole.items, profile, options) else {
            return
        }
        // What some peers write behind empty objects is understood and never written.
        var plain = Parser(kind, profile, options)
        plain.fetch.emptyObjectsCarryStatus = false
        let second = try Self.read([again], plain, limit: options.propertiesLimit)
        try require(
            second.items == whole.items && second.unread == 0 && (second.error == nil || second.error == whole.error),
            "\(whole.items) became \(second.items) (\(String(describing: second.error)))"
        )
    }

    /// Either parser.
    private struct Parser {
        enum Step {
            case item(Item)
            case payload(count: Int, isLast: Bool)
            case needMore
        }

        let kind: Kind
        var subgroup: SubgroupStreamParser
        var fetch: FetchStreamParser

        init(_ kind: Kind, _ profile: DraftProfile, _ options: Options) {
            self.kind = kind
            self.subgroup = SubgroupStreamParser(profile: profile, propertiesLimit: options.propertiesLimit)
            self.fetch = FetchStreamParser(profile: profile, propertiesLimit: options.propertiesLimit)
            self.fetch.groupOrder = options.groupOrder
            self.fetch.emptyObjectsCarryStatus =
                options.emptyObjectsCarryStatus && !profile.data.fetchObjectsAreComplete
        }

        mutating func next(_ bytes: RawSpan) throws(MoQWireError) -> (step: Step, consumed: Int) {
            switch self.kind {
            case .subgroup:
                let (event, consumed) = try self.subgroup.next(in: bytes)
                switch event {
                case .header(let header): return (.item(.subgroup(header)), consumed)
                case .object(let object): return (.item(.object(object)), consumed)
                case .payload(let count, let isLast): return (.payload(count: count, isLast: isLast), consumed)
                case .needMore: return (.needMore, consumed)
                }
            case .fetch:
                let (event, consumed) = try self.fetch.next(in: bytes)
                switch event {
                case .header(let id): return (.item(.fetch(id)), consumed)
                case .object(let object): return (.item(.fetched(object)), consumed)
                case .endOfRange(let gap, let location): return (.item(.gap(gap, location)), consumed)
                case .payload(let count, let isLast): return (.payload(count: count, isLast: isLast), consumed)
                case .needMore: return (.needMore, consumed)
                }
            }
        }

        func finish(unread: Int) throws(MoQWireError) {
            switch self.kind {
            case .subgroup: try self.subgroup.finish(unread: unread)
            case .fetch: try self.fetch.finish(unread: unread)
            }
        }
    }

    /// Reads a stream as its owner does, keeping what was not consumed.
    private static func read(_ pieces: [[UInt8]], _ start: Parser, limit: Int) throws(FuzzFinding) -> Reading {
        var parser = start
        var reading = Reading()
        var kept: [UInt8] = []
        for piece in pieces {
            kept += piece
            var offset = 0
            while true {
                let step: Parser.Step
                let consumed: Int
                do {
                    (step, consumed) = try parser.next(unsafe kept.span.bytes.extracting(offset...))
                } catch {
                    try ControlCheck.check(error)
                    reading.error = error
                    return reading
                }
                if case .needMore = step {
                    try require(consumed == 0, "\(consumed) bytes were consumed, and more are wanted")
                    break
                }
                try require(
                    consumed > 0 && consumed <= kept.count - offset,
                    "\(consumed) of \(kept.count - offset) bytes were consumed"
                )
                switch step {
                case .needMore:
                    break
                case .item(let item):
                    reading.items.append(item)
                case .payload(let count, let isLast):
                    try require(count == consumed, "\(consumed) bytes were consumed for \(count) of payload")
                    var payload: [UInt8] = []
                    if case .payload(let bytes, false) = reading.items.last {
                        payload = bytes
                        reading.items.removeLast()
                    }
                    payload += kept[offset..<(offset + count)]
                    reading.items.append(.payload(payload, isComplete: isLast))
                }
                offset += consumed
            }
            kept.removeFirst(offset)
            let bound = limit + FetchStreamEncoder.maximumObjectHeaderLength
            try require(kept.count <= bound, "\(kept.count) bytes of a header must be kept, the bound is \(bound)")
        }
        reading.unread = kept.count
        do {
            try parser.finish(unread: kept.count)
        } catch {
            try ControlCheck.check(error)
            reading.error = error
        }
        return reading
    }

    /// Writes what a stream says; nil when our encoder rightly refuses a response that does not keep to its order.
    private static func encode(
        _ items: [Item],
        _ profile: DraftProfile,
        _ options: Options
    ) throws(FuzzFinding) -> [UInt8]? {
        var bytes: [UInt8] = []
        var subgroup = SubgroupStreamEncoder(profile: profile)
        var fetch = FetchStreamEncoder(profile: profile, groupOrder: options.groupOrder)
        var last: Location?
        for item in items {
            do {
                switch item {
                case .subgroup(let header): try subgroup.encode(header, into: &bytes)
                case .fetch(let id): try fetch.encode(requestID: id, into: &bytes)
                case .object(let object): try subgroup.encode(object, into: &bytes)
                case .payload(let payload, _): bytes += payload
                case .fetched(let object):
                    guard Self.follows(object.location, last, options.groupOrder) else {
                        return nil
                    }
                    last = object.location
                    try fetch.encode(object, into: &bytes)
                case .gap(let gap, let location):
                    last = location
                    try fetch.encode(endOfRange: gap, at: location, into: &bytes)
                }
            } catch {
                throw FuzzFinding("what was decoded cannot be encoded: \(error) (\(item))")
            }
        }
        return bytes
    }

    private static func follows(_ location: Location, _ last: Location?, _ order: GroupOrder) -> Bool {
        guard let last else {
            return true
        }
        return location.group == last.group
            ? location.object > last.object
            : (location.group > last.group) == (order == .ascending)
    }
}
