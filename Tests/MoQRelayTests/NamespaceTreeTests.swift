// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQRelay
import MoQWire
import Testing

@Suite("Namespace tree", .timeLimit(.minutes(2)))
struct NamespaceTreeTests {
    @Test("An exact lookup finds its own value only")
    func exact() {
        var tree = NamespaceTree<Int>()
        tree.insert(1, at: TrackNamespace(path: "a/b"))
        #expect(tree[TrackNamespace(path: "a/b")] == 1)
        #expect(tree[TrackNamespace(path: "a")] == nil)
        #expect(tree[TrackNamespace(path: "a/b/c")] == nil)
        #expect(tree[TrackNamespace()] == nil)
    }

    @Test("Inserting twice replaces the value and does not count twice")
    func replace() {
        var tree = NamespaceTree<Int>(maximumCount: 1)
        let wasTaken = tree.insert(1, at: TrackNamespace(path: "a"))
        #expect(wasTaken)
        let wasReplaced = tree.insert(2, at: TrackNamespace(path: "a"))
        #expect(wasReplaced)
        #expect(tree.count == 1)
        #expect(tree[TrackNamespace(path: "a")] == 2)
    }

    @Test("The longest prefix wins, and fields are not split")
    func longestPrefix() throws {
        var tree = NamespaceTree<String>()
        tree.insert("foo", at: TrackNamespace(path: "foo"))
        tree.insert("foo/bar", at: TrackNamespace(path: "foo/bar"))
        let match = try #require(tree.longestPrefix(of: TrackNamespace(path: "foo/bar/baz/x")))
        #expect(match.value == "foo/bar")
        #expect(match.fieldCount == 2)
        #expect(tree.longestPrefix(of: TrackNamespace(path: "foo/barbaz"))?.value == "foo")
        #expect(tree.longestPrefix(of: TrackNamespace(path: "foobar")) == nil)
        #expect(tree.longestPrefix(of: TrackNamespace(path: "foo"))?.value == "foo")
        #expect(tree.prefixes(of: TrackNamespace(path: "foo/bar")).map(\.value) == ["foo", "foo/bar"])
    }

    @Test("The empty namespace is a prefix of everything")
    func root() {
        var tree = NamespaceTree<Int>()
        tree.insert(0, at: TrackNamespace())
        #expect(tree.longestPrefix(of: TrackNamespace(path: "x/y"))?.value == 0)
        #expect(tree.longestPrefix(of: TrackNamespace(path: "x/y"))?.fieldCount == 0)
        #expect(tree.all(under: TrackNamespace()).count == 1)
        let removed = tree.remove(TrackNamespace())
        #expect(removed == 0)
        #expect(tree.isEmpty)
        #expect(tree.nodeCount == 1)
    }

    @Test("Everything under a prefix is listed with its namespace")
    func under() {
        var tree = NamespaceTree<Int>()
        let paths = ["a", "a/b", "a/b/c", "a/d", "ab", "b"]
        for (index, path) in paths.enumerated() {
            tree.insert(index, at: TrackNamespace(path: path))
        }
        let found = Dictionary(
            uniqueKeysWithValues: tree.all(under: TrackNamespace(path: "a")).map { ($0.namespace, $0.value) }
        )
        #expect(found.count == 4)
        for path in ["a", "a/b", "a/b/c", "a/d"] {
            #expect(found[TrackNamespace(path: path)] == paths.firstIndex(of: path))
        }
        #expect(tree.all(under: TrackNamespace(path: "a/x")).isEmpty)
    }

    @Test("Removal prunes what leads nowhere and keeps what does not")
    func prune() {
        var tree = NamespaceTree<Int>()
        tree.insert(1, at: TrackNamespace(path: "a/b/c/d"))
        tree.insert(2, at: TrackNamespace(path: "a/b"))
        #expect(tree.nodeCount == 5)
        let absent = tree.remove(TrackNamespace(path: "a/b/c"))
        #expect(absent == nil)
        let deep = tree.remove(TrackNamespace(path: "a/b/c/d"))
        #expect(deep == 1)
        #expect(tree.nodeCount == 3)
        let shallow = tree.remove(TrackNamespace(path: "a/b"))
        #expect(shallow == 2)
        #expect(tree.nodeCount == 1)
        let gone = tree.remove(TrackNamespace(path: "a/b"))
        #expect(gone == nil)
        #expect(tree.count == 0)
    }

    @Test("A full tree refuses new namespaces, and takes them again after a removal")
    func bounded() {
        var tree = NamespaceTree<Int>(maximumCount: 2)
        let firstFits = tree.insert(1, at: TrackNamespace(path: "a"))
        #expect(firstFits)
        let secondFits = tree.insert(2, at: TrackNamespace(path: "b/c"))
        #expect(secondFits)
        #expect(tree.isFull)
        let overfull = tree.insert(3, at: TrackNamespace(path: "x/y/z"))
        #expect(!overfull)
        #expect(tree.nodeCount == 4)
        let freed = tree.remove(TrackNamespace(path: "a"))
        #expect(freed == 1)
        let thirdFits = tree.insert(3, at: TrackNamespace(path: "x/y/z"))
        #expect(thirdFits)
    }

    @Test("Random operations agree with a plain dictionary", arguments: 1...8)
    func agreesWithModel(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var tree = NamespaceTree<Int>(maximumCount: 40)
        var model: [TrackNamespace: Int] = [:]
        func namespace() -> TrackNamespace {
            TrackNamespace(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    ["a", "b", "aa"].randomElement(using: &random) ?? "a"
                }
            )
        }
        for step in 0..<2_000 {
            let target = namespace()
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                let accepted = tree.insert(step, at: target)
                #expect(accepted == (model[target] != nil || model.count < 40))
                if accepted {
                    model[target] = step
                }
            case 2:
                let removed = tree.remove(target)
                #expect(removed == model[target])
                model[target] = nil
            case 3:
                let expected = model.filter { target.hasPrefix($0.key) }.sorted { $0.key.count < $1.key.count }
                #expect(tree.prefixes(of: target).map(\.value) == expected.map(\.value))
                #expect(tree.longestPrefix(of: target)?.value == expected.last?.value)
            default:
                let expected = model.filter { $0.key.hasPrefix(target) }
                let found = Dictionary(uniqueKeysWithValues: tree.all(under: target).map { ($0.namespace, $0.value) })
                #expect(found == expected)
            }
            #expect(tree[target] == model[target])
            #expect(tree.count == model.count)
        }
        for key in model.keys {
            tree.remove(key)
        }
        #expect(tree.nodeCount == 1)
    }
}
