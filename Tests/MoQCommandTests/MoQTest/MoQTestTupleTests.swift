// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

import MoQWire
import Testing

@testable import MoQCommand

@Suite("Namespaces of the moq-test protocol")
struct MoQTestTupleTests {
    @Test("Blank fields have the draft's defaults")
    func defaults() throws {
        let tuple = try MoQTestTuple(parsing: "moq-test-00")
        #expect(tuple == MoQTestTuple())
        #expect(try MoQTestTuple(parsing: "moq-test-00///////////////") == tuple)
        #expect(tuple.text == "moq-test-00/0/0/0/4611686018427387903/9/10/1024/100/1000/1/1/0/-1/-1/0")
        #expect(tuple.isEndless)
    }

    @Test("Every field is read, and written again as it was")
    func fields() throws {
        let text = "moq-test-00/2/3/4/50/44/8/70/60/5/6/5/1/7/8/900"
        let tuple = try MoQTestTuple(parsing: text)
        #expect(tuple.forwarding == .twoSubgroups)
        #expect((tuple.startGroup, tuple.startObject) == (3, 4))
        #expect((tuple.lastGroup, tuple.lastObject, tuple.objectsPerGroup) == (50, 44, 8))
        #expect((tuple.firstObjectSize, tuple.otherObjectSize, tuple.frequency) == (70, 60, 5))
        #expect((tuple.groupIncrement, tuple.objectIncrement, tuple.hasMarkers) == (6, 5, true))
        #expect((tuple.integerExtension, tuple.variableExtension, tuple.deliveryTimeout) == (7, 8, 900))
        #expect(tuple.text == text)
        #expect(try MoQTestTuple(tuple.namespace) == tuple)
    }

    @Test("The last object follows from the number of objects, their distance and the marker")
    func lastObject() throws {
        #expect(try MoQTestTuple(parsing: "moq-test-00/0/0/3///5////1/2").lastObject == 11)
        #expect(try MoQTestTuple(parsing: "moq-test-00/0/0/3///5////1/2/1").lastObject == 13)
        // So far the draft lets it be given.
        #expect(try MoQTestTuple(parsing: "moq-test-00/0/0/3//13/5////1/2").lastObject == 13)
        // A group that would reach beyond every id ends with the last one.
        let wide = try MoQTestTuple(parsing: "moq-test-00/0/0/3///5////1/\(MoQTestTuple.maximumNumber)")
        #expect(wide.lastObject == MoQTestTuple.maximumNumber)
    }

    @Test(
        "What is wrong is said, with the field",
        arguments: [
            ("moq-test-01/0", "field 0"),
            ("", "field 0"),
            ("moq-test-00////////////////", "17 fields"),
            ("moq-test-00/4", "field 1 (forwarding preference) is 4, not 0 to 3"),
            ("moq-test-00/-1", "field 1 (forwarding preference) is not a number: '-1'"),
            ("moq-test-00/+1", "field 1"),
            ("moq-test-00/0/x", "field 2 (start group)"),
            ("moq-test-00/0/1 ", "field 2"),
            ("moq-test-00/0/4611686018427387904", "field 2"),
            ("moq-test-00/0/99999999999999999999999", "field 2"),
            ("moq-test-00/0/0/-2", "field 3 (start object)"),
            ("moq-test-00/0/5//4", "field 4 (last group) is before the start group, 5"),
            ("moq-test-00/0/0/5/9/4", "field 5 (last object) is 4, not 5 to 15"),
            ("moq-test-00/0///9/12/5", "field 5 (last object) is 12, not 0 to 5"),
            ("moq-test-00/0///9//0", "field 6 (objects per group)"),
            ("moq-test-00/0//////4194305", "field 7 (size of object 0)"),
            ("moq-test-00/0///////4194305", "field 8"),
            ("moq-test-00/0////////3600001", "field 9 (object frequency)"),
            ("moq-test-00/0/////////0", "field 10 (group increment)"),
            ("moq-test-00/0//////////0", "field 11 (object increment)"),
            ("moq-test-00/0///////////2", "field 12 (end-of-group markers)"),
            ("moq-test-00/0////////////-2", "field 13 (integer extension)"),
            ("moq-test-00/0////////////2305843009213693952", "field 13"),
            ("moq-test-00/0////////////30", "field 13 (integer extension) means property 60"),
            ("moq-test-00/0/////////////5", "field 14 (variable extension) means property 11"),
            ("moq-test-00/0//////////////-1", "field 15 (delivery timeout)"),
        ]
    )
    func errors(text: String, part: String) {
        let error = #expect(throws: MoQTestTupleError.self) { try MoQTestTuple(parsing: text) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.isForeign == part.hasPrefix("field 0"))
    }

    @Test("Bytes that are no text are no number")
    func noText() {
        var namespace = MoQTestTuple().namespace
        namespace.fields[2] = [0xFF, 0x31]
        #expect(throws: MoQTestTupleError.self) { try MoQTestTuple(namespace) }
    }

    @Test("The suite has more than fifty tracks, all different, that can be published")
    func suite() throws {
        let tuples = MoQTestSuite.tuples
        #expect(tuples.count >= 50)
        #expect(Set(tuples).count == tuples.count)
        for tuple in tuples {
            #expect(try MoQTestTuple(tuple.namespace).namespace == tuple.namespace)
        }
    }
}
