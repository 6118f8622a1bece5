// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Watches over the order of a fetch response: groups as they were asked for, objects ascending within each
/// (draft-18 §10.12.3, "Fetch Handling").
public struct FetchSequence: Hashable, Sendable {
    /// The order of the groups.
    public let groupOrder: GroupOrder
    /// Where the response is: the object or the end of a range that came last.
    public private(set) var last: Location?

    /// Starts before the first object.
    public init(groupOrder: GroupOrder) {
        self.groupOrder = groupOrder
    }

    /// An object comes. Returns whether it may come here; if not, nothing changes.
    public mutating func admitObject(at location: Location) -> Bool {
        self.admit(location, mayRepeat: false)
    }

    /// The end of a range that is left out comes. It covers everything after what came last up to this location, which is
    /// nothing when it is the same. Returns whether it may come here; if not, nothing changes.
    public mutating func admitEndOfRange(at location: Location) -> Bool {
        self.admit(location, mayRepeat: true)
    }

    private mutating func admit(_ location: Location, mayRepeat: Bool) -> Bool {
        if let last = self.last {
            if last.group == location.group {
                guard location.object > last.object || (mayRepeat && location.object == last.object) else {
                    return false
                }
            } else if (location.group > last.group) != (self.groupOrder == .ascending) {
                return false
            }
        }
        self.last = location
        return true
    }
}
