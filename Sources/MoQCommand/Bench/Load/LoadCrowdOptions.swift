// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

internal import ArgumentParser

/// What loads for many subscribers have in common.
struct LoadCrowdOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How many subscribers connect per second, 1 to 10000 (default: as many as are taken).",
            valueName: "count"
        )
    )
    var ramp: Double?

    @Option(help: ArgumentHelp("How many objects are due per second, 0.1 to 1000000.", valueName: "objects/s"))
    var rate = 30.0

    @Option(help: ArgumentHelp("How long a payload is.", valueName: "bytes"))
    var size = 5_000

    @OptionGroup(title: "Shape")
    var shape: LoadShapeOptions

    func validate() throws {
        try LoadPlan.check(rate: self.rate)
        if let ramp = self.ramp {
            guard (1...10_000).contains(ramp) else {
                throw ValidationError("--ramp must be 1 to 10000")
            }
        }
        try self.shape.check(size: self.size)
    }

    /// Checks how many there are.
    static func check(subscribers: Int) throws {
        guard (1...8_000).contains(subscribers) else {
            throw ValidationError("--subscribers must be 1 to 8000")
        }
    }

    /// A load for so many subscribers.
    func plan(_ name: String, _ options: LoadOptions, subscribers: Int) -> LoadPlan {
        var plan = LoadPlan(name, options, self.shape, size: self.size)
        plan.subscribers = subscribers
        plan.ramp = self.ramp
        plan.rate = self.rate
        return plan
    }
}
