// swift-tools-version: 6.3
import PackageDescription

// A package of its own, because all of it is compiled with a sanitizer: Scripts/fuzz says how.
let package = Package(
    name: "moqingbird-fuzz",
    platforms: [.macOS(.v26)],
    dependencies: [.package(name: "moqingbird", path: "..")],
    targets: [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: ["CFuzzer", .product(name: "FuzzChecks", package: "moqingbird")],
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
