// swift-tools-version: 6.2
import PackageDescription

// Every target of ours is compiled by the same rules; Sources/README.md gives the reasons.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // `ByteReader` lends out a span; its initialiser needs a lifetime annotation.
    .enableExperimentalFeature("Lifetimes"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let sqlite = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

func library(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies + [argumentParser], swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

let package = Package(
    name: "perf-fleet",
    products: [
        .executable(name: "perf-agent", targets: ["perf-agent"]),
        .executable(name: "perf-aggregator", targets: ["perf-aggregator"]),
        .executable(name: "perf-query", targets: ["perf-query"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // Words.
        library("Profiles"),
        library("ByteCoding"),
        // Fence: C and the system, safely typed.
        library("CLinux"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CDemangle", providers: [.apt(["libiberty-dev"])]),
        library("LinuxSystem", ["CLinux"]),
        library("Compression", ["CZstd"]),
        library("Patterns"),
        library("Settings", [yaml]),
        // Engines.
        library("PerfEvents", ["LinuxSystem", "CLinux", "ByteCoding"]),
        library("ObjectFiles", ["Profiles", "ByteCoding", crypto]),
        library("SymbolTables", ["Profiles", "ByteCoding", "Compression"]),
        library("SymbolSources", ["SymbolTables", "ObjectFiles", "LinuxSystem", "Compression", "CDemangle", "ByteCoding", "Profiles"]),
        library("Analysis", ["Profiles", "Patterns"]),
        library("Formats", ["Profiles", "Analysis"]),
        library("FlameGraphs", ["Profiles", "Analysis"]),
        library("WireProtocol", ["Profiles", "Compression", "ByteCoding", protobuf, crypto]),
        library(
            "ProfileStore",
            ["Profiles", "WireProtocol", "Analysis", "Compression", "ByteCoding", "SymbolTables", sqlite, crypto]),
        library("QueryAPI", ["Profiles", nioCore, nioPosix, nioHTTP1]),
        // Runtimes.
        library(
            "ProfilerAgent",
            [
                "Profiles", "ByteCoding", "CLinux", "LinuxSystem", "Compression", "Patterns", "Settings", "PerfEvents",
                "ObjectFiles", "SymbolTables", "SymbolSources", "Analysis", "Formats", "FlameGraphs", "WireProtocol",
                nioCore, nioPosix, logging, crypto,
            ]),
        library(
            "ProfilerAggregator",
            [
                "Profiles", "ByteCoding", "Settings", "SymbolTables", "Analysis", "Formats", "FlameGraphs", "WireProtocol",
                "ProfileStore", "QueryAPI", "Patterns", nioCore, nioPosix, hummingbird, logging,
            ]),
        // Programs.
        program("perf-agent", ["ProfilerAgent", "Settings", "Profiles", "Formats", logging]),
        program("perf-aggregator", ["ProfilerAggregator", "Settings", logging]),
        program("perf-query", ["QueryAPI", "Profiles", "Formats"]),
        // Tests mirror Sources.
        tests("ProfilesTests", ["Profiles"]),
        tests("ByteCodingTests", ["ByteCoding"]),
        tests("CompressionTests", ["Compression"]),
        tests("ObjectFilesTests", ["ObjectFiles", "Profiles"]),
        tests("SymbolTablesTests", ["SymbolTables", "Profiles", "ByteCoding", "Compression"]),
        tests("SymbolSourcesTests", ["SymbolSources", "SymbolTables", "ObjectFiles", "LinuxSystem", "Profiles"]),
        // Stands for `perf-agent helper` where the helper process is tested.
        .executableTarget(
            name: "ObjectHelperProgram", dependencies: ["ProfilerAgent"], path: "Tests/ObjectHelperProgram",
            swiftSettings: settings),
        tests(
            "ProfilerAgentTests",
            [
                "ProfilerAgent", "ObjectHelperProgram", "SymbolTables", "SymbolSources", "ObjectFiles", "LinuxSystem",
                "Profiles",
            ]),
    ]
)
