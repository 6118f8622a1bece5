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

let package = Package(
    name: "moqingbird",
    platforms: [.macOS(.v26)],
    products: [.library(name: "MoQWire", targets: ["MoQWire"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    ],
    targets: [
        // Media over QUIC.
        .target(name: "MoQWire", dependencies: [deque], swiftSettings: settings),
        // Tests: one target per module, and suites that cross modules.
        .testTarget(name: "MoQWireTests", dependencies: ["MoQWire"], swiftSettings: settings),
    ]
)
