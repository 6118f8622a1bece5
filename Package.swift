// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target is compiled with the same strictness: memory safety is checked, warnings are errors, and the
/// language features that will become the default are on already.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "moqingbird",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "MoQ", targets: ["MoQ"]),
        .library(name: "MoQWire", targets: ["MoQWire"]),
        .library(name: "MoQProtocol", targets: ["MoQProtocol"]),
        .library(name: "MoQRelay", targets: ["MoQRelay"]),
        .library(name: "MoQPicoQuic", targets: ["MoQPicoQuic"]),
        .library(name: "WebTransport", targets: ["WebTransport"]),
        .library(name: "WebTransportInMemory", targets: ["WebTransportInMemory"]),
        .library(name: "WebTransportPicoQuic", targets: ["WebTransportPicoQuic"]),
        .library(name: "PicoQuic", targets: ["PicoQuic"]),
        .library(name: "PacketLoop", targets: ["PacketLoop"]),
        .executable(name: "moq", targets: ["MoQExecutable"]),
        // Only for the package in FuzzTesting/.
        .library(name: "FuzzChecks", targets: ["FuzzChecks"]),
        // Only for the package in Benchmarks/.
        .library(name: "RelayStage", targets: ["RelayStage", "CAllocationCounter"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    ],
    targets: [
        // C: the system's picoquic, what Swift cannot import of it, and what the loop needs of the operating system.
        .systemLibrary(name: "CPicoquic", pkgConfig: "picoquic"),
        .target(name: "CPicoquicShims", dependencies: ["CPicoquic"]),
        .target(name: "CLoopSupport", cSettings: [.define("_GNU_SOURCE")]),

        // The loop and QUIC.
        .target(name: "PacketLoop", dependencies: ["CLoopSupport"], swiftSettings: settings),
        .target(
            name: "PicoQuic",
            dependencies: ["CPicoquic", "CPicoquicShims", "CLoopSupport", "PacketLoop", logging],
            swiftSettings: settings
        ),

        // Sessions, streams and datagrams, and their backends.
        .target(name: "WebTransport", dependencies: [deque], swiftSettings: settings),
        .target(
            name: "WebTransportPicoQuic",
            dependencies: ["WebTransport", "PicoQuic", "PacketLoop"],
            swiftSettings: settings
        ),
        .target(
            name: "WebTransportInMemory",
            dependencies: ["WebTransport", "PacketLoop", deque],
            swiftSettings: settings
        ),

        // Media over QUIC.
        .target(name: "MoQWire", swiftSettings: settings),
        .target(name: "MoQProtocol", dependencies: ["MoQWire"], swiftSettings: settings),
        .target(
            name: "MoQ",
            dependencies: ["MoQProtocol", "MoQWire", "WebTransport", "PacketLoop", deque],
            swiftSettings: settings
        ),
        .target(
            name: "MoQRelay",
            dependencies: [
                "MoQ", "MoQProtocol", "MoQWire", "WebTransport", "WebTransportInMemory", "PacketLoop", deque, logging,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "MoQPicoQuic",
            dependencies: [
                "MoQ", "MoQWire", "WebTransport", "WebTransportPicoQuic", "WebTransportInMemory", "PicoQuic",
                "PacketLoop", logging,
            ],
            swiftSettings: settings
        ),

        // The command line: everything in a library, so that tests reach it, and an executable that calls it.
        .target(
            name: "MoQCommand",
            dependencies: [
                "MoQPicoQuic", "MoQRelay", "MoQ", "MoQWire", "WebTransport", "WebTransportPicoQuic", "PicoQuic",
                "PacketLoop", deque, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(name: "MoQExecutable", dependencies: ["MoQCommand"], swiftSettings: settings),

        // Examples: small programs on the public API.
        .target(
            name: "ExampleSupport",
            dependencies: ["MoQPicoQuic", "PicoQuic"],
            path: "Examples/Support",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ExampleClock",
            dependencies: ["ExampleSupport", "MoQPicoQuic", "MoQ", "MoQWire", "WebTransport", "PacketLoop"],
            path: "Examples/Clock",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ExampleChat",
            dependencies: ["ExampleSupport", "MoQPicoQuic", "MoQ", "MoQWire", "WebTransport", "PacketLoop"],
            path: "Examples/Chat",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ExampleFileTransfer",
            dependencies: ["ExampleSupport", "MoQPicoQuic", "MoQ", "MoQWire", "WebTransport", "PacketLoop"],
            path: "Examples/FileTransfer",
            swiftSettings: settings
        ),

        // Tests: one target per module, and suites that cross modules.
        .target(
            name: "TestSupport",
            dependencies: ["PacketLoop", logging],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .target(
            name: "ChaosEngine",
            dependencies: ["WebTransport", "WebTransportInMemory", "WebTransportPicoQuic", "PicoQuic", "PacketLoop"],
            path: "Tests/ChaosEngine",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "chaos",
            dependencies: ["ChaosEngine"],
            path: "Tests/Chaos",
            swiftSettings: settings
        ),
        .testTarget(name: "PacketLoopTests", dependencies: ["PacketLoop", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "PicoQuicTests",
            dependencies: ["PicoQuic", "PacketLoop", "TestSupport", logging],
            swiftSettings: settings
        ),
        .testTarget(name: "WebTransportTests", dependencies: ["WebTransport", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "TransportConformance",
            dependencies: [
                "WebTransport", "WebTransportInMemory", "WebTransportPicoQuic", "PicoQuic", "PacketLoop", "TestSupport",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ChaosTests",
            dependencies: ["ChaosEngine", "chaos", "TestSupport"],
            swiftSettings: settings
        ),
        .target(name: "WireSamples", dependencies: ["MoQWire"], path: "Tests/WireSamples", swiftSettings: settings),
        .target(
            name: "FuzzChecks",
            dependencies: ["MoQ", "MoQWire", "WebTransport", "WebTransportInMemory", "PacketLoop", "WireSamples"],
            path: "Tests/FuzzChecks",
            swiftSettings: settings
        ),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzChecks"], swiftSettings: settings),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .target(
            name: "RelayStage",
            dependencies: ["MoQRelay", "MoQ", "MoQWire", "WebTransport", "PacketLoop", "CAllocationCounter"],
            path: "Tests/RelayStage",
            swiftSettings: settings
        ),
        .testTarget(
            name: "MoQWireTests",
            dependencies: ["MoQWire", "WireSamples", "CAllocationCounter"],
            swiftSettings: settings
        ),
        .testTarget(name: "MoQProtocolTests", dependencies: ["MoQProtocol", "MoQWire"], swiftSettings: settings),
        .testTarget(
            name: "MoQTests",
            dependencies: ["MoQ", "MoQWire", "WebTransport", "WebTransportInMemory", "PacketLoop", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MoQRelayTests",
            dependencies: [
                "MoQRelay", "MoQ", "MoQWire", "WebTransport", "WebTransportInMemory", "PacketLoop", "TestSupport",
                "RelayStage", "CAllocationCounter",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MoQPicoQuicTests",
            dependencies: [
                "MoQPicoQuic", "MoQRelay", "MoQ", "MoQWire", "WebTransport", "WebTransportPicoQuic", "PicoQuic",
                "PacketLoop", "TestSupport", logging,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MoQCommandTests",
            dependencies: [
                "MoQCommand", "MoQExecutable", "MoQRelay", "MoQ", "MoQWire", "WebTransport", "WebTransportInMemory",
                "PacketLoop", "TestSupport", "WireSamples", "ExampleClock", "ExampleChat", "ExampleFileTransfer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
    ]
)

// `Scripts/test --only` builds the product with all tests, which is then made of these targets.
if let names = Context.environment["MOQINGBIRD_TEST_TARGETS"] {
    let wanted = Set(names.split(separator: " ").map(String.init))
    package.targets.removeAll { $0.isTest && !wanted.contains($0.name) }
}
