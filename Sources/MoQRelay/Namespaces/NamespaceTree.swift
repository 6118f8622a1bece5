// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

public import MoQWire

/// Values filed under track namespaces, found by the rules of prefix matching.
///
/// A namespace matches when its fields, one by one from the outermost, equal the first fields of another
/// (draft-18 §9.5, "Publisher Interactions"); bytes within a field are never split, so `foobar` does not begin with
/// `foo`. The tree answers the three questions a relay has: what is filed under exactly this namespace, what under the
/// prefixes of it, and what under the namespaces that begin with it.
///
/// The work of every operation is proportional to the number of fields, plus the number of results. Nodes that lead to
/// no value are removed at once, so the size follows the content: at most ``maximumCount`` values on at most
/// `maximumCount * TrackNamespace.maximumFieldCount + 1` nodes.
public struct NamespaceTree<Value> {
    /// How many values the tree takes before ``insert(_:at:)`` refuses.
    public let maximumCount: Int
    /// How many values there are.
    public private(set) var count = 0
    /// How many nodes there are, the root included. An empty tree has one.
    public private(set) var nodeCount = 1

    /// One field on the way from the root to a value. Slots of removed nodes are used again.
    private struct Node {
        var field: [UInt8]
        var parent: Int
        var children: [[UInt8]: Int] = [:]
        var value: Value?
    }

    private var nodes: [Node] = [Node(field: [], parent: 0)]
    private var freeSlots: [Int] = []

    /// Makes an empty tree that takes this many values.
    public init(maximumCount: Int = Int.max) {
        self.maximumCount = maximumCount
    }

    /// Whether there are no values.
    public var isEmpty: Bool {
        self.count == 0
    }

    /// Whether the tree takes no further namespace.
    public var isFull: Bool {
        self.count >= self.maximumCount
    }

    /// The value under exactly this namespace.
    public subscript(_ namespace: TrackNamespace) -> Value? {
        guard let index = self.node(at: namespace) else {
            return nil
        }
        return self.nodes[index].value
    }

    /// Files a value under a namespace, in place of the one that is there.
    ///
    /// - Returns: false when the namespace is new and the tree is full; nothing changes then.
    @discardableResult
    public mutating func insert(_ value: Value, at namespace: TrackNamespace) -> Bool {
        if let index = self.node(at: namespace), self.nodes[index].value != nil {
            self.nodes[index].value = value
            return true
        }
        guard !self.isFull else {
            return false
        }
        var index = 0
        for field in namespace.fields {
            if let child = self.nodes[index].children[field] {
                index = child
            } else {
                index = self.addNode(field, under: index)
            }
        }
        self.nodes[index].value = value
        self.count += 1
        return true
    }

    /// Removes and returns the value under a namespace, with every node that led to it alone.
    @discardableResult
    public mutating func remove(_ namespace: TrackNamespace) -> Value? {
        guard var index = self.node(at: namespace), let value = self.nodes[index].value else {
            return nil
        }
        self.nodes[index].value = nil
        self.count -= 1
        while index != 0, self.nodes[index].value == nil, self.nodes[index].children.isEmpty {
            let parent = self.nodes[index].parent
            self.nodes[parent].children[self.nodes[index].field] = nil
            self.nodes[index] = Node(field: [], parent: 0)
            self.freeSlots.append(index)
            self.nodeCount -= 1
            index = parent
        }
        return value
    }

    /// The value under the longest namespace that this one begins with (which may be all of it), with that namespace's
    /// number of fields.
    public func longestPrefix(of namespace: TrackNamespace) -> (fieldCount: Int, value: Value)? {
        self.prefixes(of: namespace).last
    }

    /// The values under all namespaces that this one begins with, the shortest first.
    public func prefixes(of namespace: TrackNamespace) -> [(fieldCount: Int, value: Value)] {
        var result: [(fieldCount: Int, value: Value)] = []
        var index = 0
        if let value = self.nodes[0].value {
            result.append((0, value))
        }
        for (position, field) in namespace.fields.enumerated() {
            guard let child = self.nodes[index].children[field] else {
                break
            }
            index = child
            if let value = self.nodes[index].value {
                result.append((position + 1, value))
            }
        }
        return result
    }

    /// The values under all namespaces that begin with this one (itself included), with their namespaces. The order is
    /// not defined.
    public func all(under prefix: TrackNamespace) -> [(namespace: TrackNamespace, value: Value)] {
        guard let start = self.node(at: prefix) else {
            return []
        }
        var result: [(namespace: TrackNamespace, value: Value)] = []
        var pending = [(start, prefix.fields)]
        while let (index, fields) = pending.popLast() {
            if let value = self.nodes[index].value {
                result.append((TrackNamespace(fields: fields), value))
            }
            for (field, child) in self.nodes[index].children {
                pending.append((child, fields + [field]))
            }
        }
        return result
    }

    private func node(at namespace: TrackNamespace) -> Int? {
        var index = 0
        for field in namespace.fields {
            guard let child = self.nodes[index].children[field] else {
                return nil
            }
            index = child
        }
        return index
    }

    private mutating func addNode(_ field: [UInt8], under parent: Int) -> Int {
        let node = Node(field: field, parent: parent)
        let index: Int
        if let free = self.freeSlots.popLast() {
            index = free
            self.nodes[index] = node
        } else {
            index = self.nodes.count
            self.nodes.append(node)
        }
        self.nodes[parent].children[field] = index
        self.nodeCount += 1
        return index
    }
}
