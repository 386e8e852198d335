// swift-tools-version: 6.2
import PackageDescription

/// Settings of every target of ours: what the compiler can find, it refuses.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

extension Target {
    static func library(_ name: String, path: String, _ dependencies: [Target.Dependency] = []) -> Target {
        .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: strict)
    }
    static func program(_ name: String, path: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: strict)
    }
    static func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
        .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources, swiftSettings: strict)
    }
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
    name: "wallet-backend",
    products: [
        .executable(name: "wallet-backend", targets: ["wallet-backend"]),
        .executable(name: "wallet-backend-fetcher", targets: ["wallet-backend-fetcher"]),
        .executable(name: "wallet-backend-writer", targets: ["wallet-backend-writer"]),
        .executable(name: "ledger-simulator", targets: ["ledger-simulator"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", path: "Sources/Shared/CLibPQ", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZeroMQ", path: "Sources/Shared/CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .target(name: "CBase64", path: "Sources/Shared/CBase64"),

        .library("StellarXDR", path: "Shared/StellarXDR"),
        .library("Protocols", path: "Shared/Protocols", ["StellarXDR"]),
        .library(
            "LedgerSources", path: "Shared/LedgerSources",
            ["StellarXDR", "CBase64", httpClient, nioCore, nioPosix, nioHTTP1, crypto, logging]),
        .library("PostgreSQL", path: "Shared/PostgreSQL", ["CLibPQ"]),
        .library("Store", path: "Shared/Store", ["PostgreSQL", "Protocols", logging]),
        .library("ZeroMQ", path: "Shared/ZeroMQ", ["CZeroMQ"]),
        .library("Pipeline", path: "Shared/Pipeline"),
        .library("Operations", path: "Shared/Operations", [argumentParser, logging, hummingbird, unixSignals]),

        .library(
            "Coordinator", path: "Coordinator/Coordinator",
            ["Protocols", "LedgerSources", "PostgreSQL", "Store", "ZeroMQ", "Pipeline", "Operations", argumentParser, logging, subprocess]),
        .program("wallet-backend", path: "Coordinator/wallet-backend", ["Coordinator"]),
        .library(
            "Fetcher", path: "Fetcher/Fetcher",
            ["StellarXDR", "Protocols", "LedgerSources", "ZeroMQ", "Pipeline", "Operations", argumentParser, logging]),
        .program("wallet-backend-fetcher", path: "Fetcher/wallet-backend-fetcher", ["Fetcher"]),
        .library(
            "Writer", path: "Writer/Writer",
            ["Protocols", "PostgreSQL", "Store", "ZeroMQ", "Pipeline", "Operations", argumentParser, logging]),
        .program("wallet-backend-writer", path: "Writer/wallet-backend-writer", ["Writer"]),
        .library(
            "LedgerSimulator", path: "Simulator/LedgerSimulator", ["StellarXDR", "Operations", crypto, hummingbird, nioCore, argumentParser, logging]),
        .program("ledger-simulator", path: "Simulator/ledger-simulator", ["LedgerSimulator"]),

        .target(name: "TestSupport", dependencies: ["PostgreSQL", subprocess], path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .tests("StellarXDRTests", ["StellarXDR", "CAllocationCounter"], resources: [.copy("Fixtures")]),
        .tests("ProtocolsTests", ["Protocols", "StellarXDR"]),
        .tests("LedgerSourcesTests", ["LedgerSources", "StellarXDR", hummingbird, nioCore, nioPosix, nioHTTP1, logging]),
        .tests("PostgreSQLTests", ["PostgreSQL", "TestSupport"]),
        .tests("StoreTests", ["Store", "PostgreSQL", "Protocols", "StellarXDR", "TestSupport"]),
        .tests("ZeroMQTests", ["ZeroMQ"]),
        .tests("PipelineTests", ["Pipeline"]),
        .tests("OperationsTests", ["Operations", logging, httpClient]),
        .tests("LedgerSimulatorTests", ["LedgerSimulator", "StellarXDR", crypto, subprocess]),
        .tests("EndToEndTests", ["Store", "PostgreSQL", "Protocols", "StellarXDR", "TestSupport", subprocess]),
    ],
    swiftLanguageModes: [.v6]
)
