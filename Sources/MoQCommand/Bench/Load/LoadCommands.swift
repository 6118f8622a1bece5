// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// `moq bench throughput`.
struct BenchThroughputCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "throughput",
        abstract: "Send objects from one publisher to one subscriber as fast as they are taken.",
        discussion: """
            Without a URL, publisher and subscriber talk to each other over loopback, each with a thread of its own. With \
            one, both are clients of that relay. Latencies contain the time that objects wait in the publisher's queue. \
            With --bare the same payloads travel on one stream of the transport, without MoQ, for comparison.

              moq bench throughput --size 16384 --loop epoll
              moq bench throughput moqt://127.0.0.1:4433 --insecure --duration 30 --json
              moq bench throughput --size 1000 --datagrams
              moq bench throughput --size 1000 --group-size 1    (a stream for each object)
              moq bench throughput --loop epoll --subscriber-loop picoquic
            """
    )

    @OptionGroup
    var options: LoadOptions

    @Option(help: ArgumentHelp("How long a payload is.", valueName: "bytes"))
    var size = 16_384

    @Flag(help: "Send the payloads on one stream of the transport, without MoQ; not for relays.")
    var bare = false

    @OptionGroup(title: "Shape")
    var shape: LoadShapeOptions

    func validate() throws {
        try self.shape.check(size: self.size)
        guard !self.bare || (self.options.url == nil && !self.shape.datagrams && self.shape.subgroups == 1) else {
            throw ValidationError("--bare is for one stream without a relay: no url, --datagrams or --subgroups")
        }
    }

    /// What the options ask for.
    var plan: LoadPlan {
        var plan = LoadPlan("throughput", self.options, self.shape, size: self.size)
        plan.isBare = self.bare
        return plan
    }

    func run() async throws {
        self.options.connection.startLogging()
        try await LoadRun(self.plan, self.options).run()
    }
}

/// `moq bench latency`.
struct BenchLatencyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "Send objects on schedule and measure how long they take to arrive.",
        discussion: """
            Every object carries the time at which it was due, and its latency is counted from there: what leaves late, \
            because the sender or the network cannot keep up, is late. "sent late" says how much of that was the sender.

              moq bench latency --rate 1000 --size 1000 --loop epoll
              moq bench latency moqt://127.0.0.1:4433 --insecure --relay-pid 4711
            """
    )

    @OptionGroup
    var options: LoadOptions

    @Option(help: ArgumentHelp("How many objects are due per second, 0.1 to 1000000.", valueName: "objects/s"))
    var rate = 1_000.0

    @Option(help: ArgumentHelp("How long a payload is.", valueName: "bytes"))
    var size = 1_000

    @OptionGroup(title: "Shape")
    var shape: LoadShapeOptions

    func validate() throws {
        try LoadPlan.check(rate: self.rate)
        try self.shape.check(size: self.size)
    }

    /// What the options ask for.
    var plan: LoadPlan {
        var plan = LoadPlan("latency", self.options, self.shape, size: self.size)
        plan.rate = self.rate
        return plan
    }

    func run() async throws {
        self.options.connection.startLogging()
        try await LoadRun(self.plan, self.options).run()
    }
}

/// `moq bench fanout`.
struct BenchFanoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout",
        abstract: "Send objects on schedule to many subscribers of one track.",
        discussion: """
            Every subscriber has a connection of its own; all of them share a socket and a thread. The objects begin when \
            everybody is subscribed. A subscriber that is lost on the way is counted, and so is what it did not get. With \
            --spread each subscriber has a track of its own, and the objects of the tracks are due one after the other \
            instead of all at once.

              moq bench fanout --subscribers 50 --rate 30 --size 5000
              moq bench fanout moqt://127.0.0.1:4433 --insecure --subscribers 1000 \\
                  --ramp 200 --rate 30 --size 2000 --relay-pid 4711
            """
    )

    @OptionGroup
    var options: LoadOptions

    @Option(help: ArgumentHelp("How many subscribers there are, 1 to 8000.", valueName: "count"))
    var subscribers = 50

    @Flag(help: "Give each subscriber a track of its own, with due times between those of the others.")
    var spread = false

    @OptionGroup
    var crowd: LoadCrowdOptions

    func validate() throws {
        try LoadCrowdOptions.check(subscribers: self.subscribers)
    }

    /// What the options ask for.
    var plan: LoadPlan {
        var plan = self.crowd.plan("fanout", self.options, subscribers: self.subscribers)
        plan.tracks = self.spread ? self.subscribers : 1
        return plan
    }

    func run() async throws {
        self.options.connection.startLogging()
        try await LoadRun(self.plan, self.options).run()
    }
}

/// `moq bench slow`.
struct BenchSlowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow",
        abstract: "Have some of many subscribers stop reading, and see what that does to the others.",
        discussion: """
            Makes the load of fanout twice: while everybody reads, then while a share of the subscribers reads nothing from \
            the first object on. Prints both, and the ratio of the 99th percentiles of those who read.

              moq bench slow --subscribers 20 --share 0.1
              moq bench slow moqt://127.0.0.1:4433 --insecure --subscribers 200 --rate 100
            """
    )

    @OptionGroup
    var options: LoadOptions

    @Option(help: ArgumentHelp("How many subscribers there are, 2 to 8000.", valueName: "count"))
    var subscribers = 200

    @Option(help: ArgumentHelp("Which share of them stops reading, above 0 and below 1.", valueName: "share"))
    var share = 0.1

    @OptionGroup
    var crowd: LoadCrowdOptions

    func validate() throws {
        try LoadCrowdOptions.check(subscribers: self.subscribers)
        guard self.subscribers >= 2 else {
            throw ValidationError("--subscribers must be at least 2")
        }
        guard self.share > 0, self.share < 1 else {
            throw ValidationError("--share must be above 0 and below 1")
        }
        guard !self.crowd.shape.datagrams else {
            throw ValidationError("--datagrams have no reader that can stop")
        }
    }

    /// How many subscribers stop reading: at least one, and never all.
    var slowSubscribers: Int {
        min(max(Int((Double(self.subscribers) * self.share).rounded()), 1), self.subscribers - 1)
    }

    /// What the options ask for, as long as everybody reads.
    var plan: LoadPlan {
        self.crowd.plan("slow", self.options, subscribers: self.subscribers)
    }

    func run() async throws {
        self.options.connection.startLogging()
        try await SlowRun(self.plan, slowSubscribers: self.slowSubscribers, self.options).run()
    }
}

extension LoadPlan {
    /// A load for one subscriber, as fast as it is taken.
    init(_ name: String, _ options: LoadOptions, _ shape: LoadShapeOptions, size: Int) {
        self.init(
            name: name,
            size: size,
            groupSize: shape.groupSize,
            subgroups: shape.subgroups,
            usesDatagrams: shape.datagrams,
            warmUp: options.warmUp.duration,
            duration: options.duration.duration,
            lateAfter: options.lateAfter.duration,
            relayPID: options.relayPid
        )
    }

    /// Checks a pace.
    static func check(rate: Double) throws {
        guard (0.1...1_000_000).contains(rate) else {
            throw ValidationError("--rate must be 0.1 to 1000000")
        }
    }
}
