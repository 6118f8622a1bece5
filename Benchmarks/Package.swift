// swift-tools-version: 6.3
import PackageDescription

// A package of its own, because it is measured optimised: Scripts/benchmarks says how.
let package = Package(
    name: "moqingbird-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [.package(name: "moqingbird", path: "..")],
    targets: [
        .target(name: "CReferenceCounter", dependencies: [.product(name: "RelayStage", package: "moqingbird")]),
        .executableTarget(
            name: "benchmarks",
            dependencies: ["CReferenceCounter", .product(name: "RelayStage", package: "moqingbird")],
            swiftSettings: [
                .strictMemorySafety(),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .treatAllWarnings(as: .error),
            ]
        ),
    ]
)
