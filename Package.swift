// swift-tools-version: 6.2
import PackageDescription

/// Settings of every target of ours: what the compiler can find, it refuses.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Settings of the targets that read and write bytes in place. A view of a ledger's bytes depends on them (`~Escapable`), so that one that
/// outlives them does not compile; `@_lifetime`, which says so of functions, is behind a flag as yet.
let memorySafe: [SwiftSetting] = [.strictMemorySafety(), .enableExperimentalFeature("Lifetimes")]

extension Target {
    static func library(
        _ name: String, path: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], marksUnsafe: Bool = false,
        embedded: [String] = [], settings: [SwiftSetting] = []
    ) -> Target {
        .target(
            name: name, dependencies: dependencies, path: "Sources/\(path)", exclude: exclude, resources: embedded.map { .embedInCode($0) },
            swiftSettings: strict + (marksUnsafe ? [.strictMemorySafety()] : []) + settings)
    }
    static func program(_ name: String, path: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: strict)
    }
    static func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
        .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, swiftSettings: strict)
    }
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "wallet-backend",
    products: [
        .executable(name: "wallet-backend", targets: ["wallet-backend"]),
        .executable(name: "wallet-backend-fetcher", targets: ["wallet-backend-fetcher"]),
        .executable(name: "wallet-backend-writer", targets: ["wallet-backend-writer"]),
        .executable(name: "ledger-simulator", targets: ["ledger-simulator"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", path: "Sources/Shared/CLibPQ", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZeroMQ", path: "Sources/Shared/CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CZstd", path: "Sources/Shared/CZstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CBase64", path: "Sources/Shared/CBase64"),
        .target(name: "COperations", path: "Sources/Shared/COperations"),

        .library("StellarXDR", path: "Shared/StellarXDR", exclude: ["Definitions"], settings: memorySafe),
        .library("StateChanges", path: "Shared/StateChanges", ["StellarXDR"], settings: memorySafe),
        .library("Protocols", path: "Shared/Protocols", ["StellarXDR", "StateChanges", crypto], settings: memorySafe),
        .library(
            "ObjectStores", path: "Shared/ObjectStores", [httpClient, nioCore, nioPosix, nioHTTP1, crypto, cryptoExtras, logging],
            marksUnsafe: true),
        .library(
            "LedgerSources", path: "Shared/LedgerSources",
            ["StellarXDR", "CBase64", "ObjectStores", "Zstd", httpClient, nioCore, nioPosix, nioHTTP1, crypto, logging], marksUnsafe: true),
        .library("PostgreSQL", path: "Shared/PostgreSQL", ["CLibPQ"], marksUnsafe: true),
        .library("Zstd", path: "Shared/Zstd", ["CZstd"], marksUnsafe: true),
        .library("Store", path: "Shared/Store", ["StellarXDR", "PostgreSQL", "StateChanges", "Protocols", logging], marksUnsafe: true),
        .library("Timescale", path: "Shared/Timescale", ["PostgreSQL", "StateChanges", "Store", logging]),
        .library("ZeroMQ", path: "Shared/ZeroMQ", ["CZeroMQ"], marksUnsafe: true),
        .library("Pipeline", path: "Shared/Pipeline", ["StateChanges", deque]),
        .library(
            "Membership", path: "Shared/Membership", ["Pipeline", "StateChanges", "ZeroMQ", "Operations", argumentParser, logging]),
        .library(
            "Operations", path: "Shared/Operations", ["COperations", argumentParser, logging, hummingbird, httpTypes, nioCore, yams],
            marksUnsafe: true
        ),

        .library(
            "ConnectionOptions", path: "Shared/ConnectionOptions", ["LedgerSources", "PostgreSQL", "Store", "Operations", argumentParser]),

        .library(
            "Coordinator", path: "Coordinator/Coordinator",
            [
                "StellarXDR", "StateChanges", "Protocols", "LedgerSources", "PostgreSQL", "Store", "Timescale", "ZeroMQ", "Pipeline",
                "Membership", "Operations", "ConnectionOptions", argumentParser, logging, subprocess,
            ], embedded: ["StatusPage/page.html"]),
        .library(
            "LiveIngest", path: "LiveIngest",
            [
                "StellarXDR", "StateChanges", "Protocols", "LedgerSources", "PostgreSQL", "Store", "Timescale", "Operations",
                "ConnectionOptions", argumentParser,
                logging,
            ]),
        .library(
            "Inspection", path: "Coordinator/Inspection",
            [
                "StellarXDR", "StateChanges", "Protocols", "LedgerSources", "PostgreSQL", "Store", "Timescale", "Pipeline", "Membership",
                "Operations", "ConnectionOptions", "Coordinator", "LiveIngest", argumentParser, logging,
            ]),
        .program(
            "wallet-backend", path: "Coordinator/wallet-backend", ["Coordinator", "Inspection", "LiveIngest", "Operations", argumentParser]),
        .library(
            "Fetcher", path: "Fetcher/Fetcher",
            [
                "StellarXDR", "StateChanges", "Protocols", "LedgerSources", "ZeroMQ", "Pipeline", "Membership", "Operations",
                "ConnectionOptions",
                argumentParser,
                logging,
            ]),
        .program("wallet-backend-fetcher", path: "Fetcher/wallet-backend-fetcher", ["Fetcher", argumentParser]),
        .library(
            "Writer", path: "Writer/Writer",
            [
                "StateChanges", "PostgreSQL", "Store", "Timescale", "ZeroMQ", "Pipeline", "Membership", "Operations", "ConnectionOptions",
                argumentParser, logging,
            ]),
        .program("wallet-backend-writer", path: "Writer/wallet-backend-writer", ["Writer", argumentParser]),
        .library(
            "LedgerSimulator", path: "Simulator/LedgerSimulator",
            ["Operations", "Zstd", crypto, hummingbird, httpTypes, nioCore, argumentParser, logging, subprocess]),
        .program("ledger-simulator", path: "Simulator/ledger-simulator", ["LedgerSimulator", "Operations", argumentParser]),

        .executableTarget(
            name: "ledger-walk-benchmark", dependencies: ["StellarXDR", "StateChanges", "Protocols"], path: "Benchmarks/LedgerWalk",
            swiftSettings: strict),

        .target(
            name: "TestSupport", dependencies: ["PostgreSQL", nioCore, nioPosix, logging], path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .tests("StellarXDRTests", ["StellarXDR", "TestSupport", "CAllocationCounter"], exclude: ["Fixtures"]),
        .tests("StateChangesTests", ["StateChanges", "StellarXDR", "TestSupport"]),
        .tests("ProtocolsTests", ["Protocols", "StateChanges", "StellarXDR", "TestSupport", crypto]),
        .tests(
            "LedgerSourcesTests",
            ["LedgerSources", "ObjectStores", "StellarXDR", "TestSupport", crypto, nioCore, nioPosix, nioEmbedded, logging]),
        .tests("ObjectStoresTests", ["ObjectStores", "TestSupport", nioCore, nioPosix, nioHTTP1, cryptoExtras, logging]),
        .tests("PostgreSQLTests", ["PostgreSQL", "TestSupport"]),
        .tests("StoreTests", ["Store", "PostgreSQL", "Protocols", "StateChanges", "StellarXDR", "TestSupport", logging]),
        .tests("TimescaleTests", ["Timescale", "PostgreSQL", "StateChanges", "Store", "TestSupport", logging]),
        .tests("ZeroMQTests", ["ZeroMQ"]),
        .tests("ZstdTests", ["Zstd", "TestSupport"]),
        .tests("PipelineTests", ["Pipeline", "StateChanges", "TestSupport"]),
        .executableTarget(
            name: "operations-probe", dependencies: ["Operations", logging], path: "Tests/OperationsProbe", swiftSettings: strict),
        .tests(
            "OperationsTests",
            ["Operations", "TestSupport", "operations-probe", argumentParser, logging, httpClient, nioCore, nioHTTP1]),
        .tests(
            "LedgerSimulatorTests", ["StellarXDR", "Zstd", "TestSupport", httpClient, nioCore, nioHTTP1, crypto, "ledger-simulator"]),
        .tests("FetcherTests", ["Fetcher", "Pipeline", "Protocols", "StateChanges", "StellarXDR", "TestSupport"]),
        .tests("WriterTests", ["Writer", "Pipeline", "StateChanges", "Store", "StellarXDR", "ZeroMQ", "TestSupport"]),
        .tests("CoordinatorTests", ["Coordinator", "Writer", "Pipeline", "Operations", "StateChanges", "Store"]),
        .tests("InspectionTests", ["Inspection"]),
        .tests(
            "EndToEndTests",
            [
                "StellarXDR", "PostgreSQL", "StateChanges", "Pipeline", "Membership", "Operations", "ZeroMQ", "TestSupport", httpClient,
                nioCore,
                nioHTTP1,
                logging,
                "wallet-backend", "wallet-backend-fetcher", "wallet-backend-writer", "ledger-simulator",
            ], exclude: ["StatusPage"]),
    ],
    swiftLanguageModes: [.v6]
)
