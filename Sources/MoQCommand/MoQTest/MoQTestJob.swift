// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import MoQ
internal import MoQWire

/// One track that `moq test-client` asks for and verifies.
struct MoQTestJob: Hashable, Sendable {
    /// How it is asked for.
    enum Method: Hashable, Sendable {
        /// With SUBSCRIBE.
        case subscribe
        /// With a subscription to its namespace, which the publisher answers with PUBLISH.
        case publish
        /// With FETCH, for a range, in an order of groups.
        case fetch(from: Location, through: FetchEnd, order: GroupOrder)
    }

    /// What the track consists of.
    var tuple: MoQTestTuple
    /// The name of the track in the namespace.
    var trackName: String
    /// How it is asked for.
    var method = Method.subscribe
    /// After how long a subscription is given up; nil for at the end of the track.
    var duration: Duration?

    /// The track.
    var fullName: FullTrackName {
        FullTrackName(namespace: self.tuple.namespace, name: self.trackName)
    }

    /// The whole track by FETCH.
    static func wholeTrack(of tuple: MoQTestTuple, order: GroupOrder = .ascending) -> Method {
        .fetch(from: Location(group: tuple.startGroup, object: 0), through: .group(tuple.lastGroup), order: order)
    }

    /// What reports call the method.
    var methodName: String {
        switch self.method {
        case .subscribe: "subscribe"
        case .publish: "publish"
        case .fetch: "fetch"
        }
    }
}

/// What `moq test-client` found out about one track.
struct MoQTestReport: Hashable, Sendable {
    /// What was asked for.
    var job: MoQTestJob
    /// The draft that was spoken.
    var draft: Int
    /// How many objects arrived, without End of Groups.
    var objects: UInt64
    /// How many End of Groups arrived.
    var markers: UInt64
    /// How many groups they are of.
    var groups: UInt64
    /// How many bytes of payload arrived.
    var bytes: UInt64
    /// How many streams of a subscription there were.
    var streams: UInt64
    /// How many datagrams arrived.
    var datagrams: UInt64
    /// How long it took.
    var milliseconds: UInt64
    /// The first differences from what the namespace says.
    var mismatches: [String]
    /// How many differences there are.
    var mismatchCount: Int

    /// Whether everything was as the namespace says.
    var isGood: Bool {
        self.mismatchCount == 0
    }

    /// The report for people.
    var lines: [String] {
        let head = self.isGood ? "ok  " : "FAIL"
        let markers = self.job.tuple.hasMarkers ? ", \(self.markers) end-of-group markers" : ""
        let carriers = self.datagrams > 0 ? "\(self.datagrams) datagrams" : "\(self.streams) streams"
        let way = self.streams > 0 || self.datagrams > 0 ? " in \(carriers)" : ""
        return [
            "\(head) \(self.job.methodName) \(self.job.tuple.text): \(self.objects) objects\(markers) of \(self.groups) groups"
                + "\(way), \(self.bytes) bytes, \(self.milliseconds) ms, draft \(self.draft)"
        ] + self.mismatches.map { "     \($0)" }
            + (self.mismatchCount > self.mismatches.count
                ? ["     and \(self.mismatchCount - self.mismatches.count) more"] : [])
    }

    /// The report as a line of JSON.
    var json: String {
        var object = JSONObject()
        object.add("namespace", .text(self.job.tuple.text))
        object.add("track", .text(self.job.trackName))
        object.add("method", .text(self.job.methodName))
        object.add("draft", UInt64(clamping: self.draft))
        object.add("ok", .bool(self.isGood))
        object.add("objects", self.objects)
        object.add("end_of_group_markers", self.markers)
        object.add("groups", self.groups)
        object.add("bytes", self.bytes)
        object.add("streams", self.streams)
        object.add("datagrams", self.datagrams)
        object.add("duration_ms", self.milliseconds)
        object.add("mismatch_count", UInt64(clamping: self.mismatchCount))
        object.add("mismatches", .array(self.mismatches.map { .text($0) }))
        return object.rendered
    }
}
