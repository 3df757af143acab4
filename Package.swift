// swift-tools-version: 6.2
import Foundation
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
    .treatAllWarnings(as: .error),
]

// A host has no Swift: the three programs carry its libraries. Said to the linker alone, so that tests share the
// release build; the libraries that Foundation's static archives need of each other are named for the same reason.
let staticLibraries: [LinkerSetting] = [
    .unsafeFlags([
        "-static-stdlib", "-use-ld=lld", "-Xlinker", "--start-group", "-lFoundation", "-lFoundationEssentials",
        "-lFoundationInternationalization", "-l_FoundationICU", "-l_FoundationCShims", "-l_FoundationCollections",
        "-lCoreFoundation", "-ldispatch", "-lBlocksRuntime", "-Xlinker", "--end-group", "-lswiftSynchronization",
        "-lswift_RegexParser", "-lm", "-lstdc++",
    ])
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let sqlite = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
// Only tests read YAML with it (openapi.yaml); Settings reads by libyaml itself.
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")

// Tests lay memory open on purpose; what strict memory safety says of them stays a warning.
let testSettings = settings + [.treatWarning("StrictMemorySafety", as: .warning)]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

/// A library whose tests look inside: built so in every configuration, so that tests share the release build.
func testableLibrary(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: exclude,
        swiftSettings: settings + [.unsafeFlags(["-enable-testing"])])
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + [argumentParser], swiftSettings: settings,
        linkerSettings: staticLibraries)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources, swiftSettings: testSettings
    )
}

/// Each folder of Tests/Fuzz, as a static library; Tests/Fuzz/run.sh asks for them and gives them libFuzzer's `main`,
/// which an executable of SwiftPM can't have. The first line of NAME/NAME.swift, `// fuzz: A, B`, names the targets it imports.
func fuzzTargets() -> [Target] {
    guard Context.environment["PERF_FLEET_FUZZ"] != nil else { return [] }
    let folder = Context.packageDirectory + "/Tests/Fuzz"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { name in
        guard let source = try? String(contentsOfFile: "\(folder)/\(name)/\(name).swift", encoding: .utf8),
            let first = source.split(separator: "\n").first, first.hasPrefix("// fuzz: ")
        else { return nil }
        let libraries = first.dropFirst("// fuzz: ".count).split(separator: ",").map {
            Target.Dependency.byName(name: $0.trimmingCharacters(in: .whitespaces))
        }
        return .target(
            name: "fuzz_\(name)", dependencies: libraries, path: "Tests/Fuzz/\(name)",
            exclude: FileManager.default.fileExists(atPath: "\(folder)/\(name)/corpus") ? ["corpus"] : [],
            sources: ["\(name).swift"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")])
    }
}

let package = Package(
    name: "perf-fleet",
    products: [
        .executable(name: "perf-agent", targets: ["perf-agent"]),
        .executable(name: "perf-aggregator", targets: ["perf-aggregator"]),
        .executable(name: "perf-query", targets: ["perf-query"]),
    ] + fuzzTargets().map { .library(name: $0.name, type: .static, targets: [$0.name]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
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
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CElf", providers: [.apt(["libdw-dev"])]),
        .systemLibrary(name: "CDemangle", providers: [.apt(["libiberty-dev"])]),
        .systemLibrary(name: "CDigest", providers: [.apt(["libmd-dev"])]),
        library("CRE2"),
        testableLibrary("LinuxSystem", ["CLinux"]),
        library("Digests", ["CDigest"]),
        library("Compression", ["CZstd", "CZlib", "CLzma"]),
        library("Patterns", ["CRE2"]),
        .systemLibrary(name: "CFoundationEssentials"),
        .systemLibrary(name: "CExpat", providers: [.apt(["libexpat1-dev"])]),
        .systemLibrary(name: "CLibYAML", providers: [.apt(["libyaml-dev"])]),
        library("Settings", ["CLibYAML", "CExpat"]),
        // Engines.
        library("PerfEvents", ["LinuxSystem", "CLinux", "ByteCoding"]),
        library("ObjectFiles", ["Profiles", "ByteCoding", "Digests"]),
        testableLibrary("Unwinding", ["ObjectFiles", "Profiles", "ByteCoding"]),
        library("SymbolTables", ["Profiles", "ByteCoding", "Compression"]),
        library(
            "SymbolSources",
            [
                "SymbolTables", "ObjectFiles", "LinuxSystem", "Compression", "CDemangle", "CElf", "ByteCoding",
                "Profiles",
            ]),
        testableLibrary(
            "LanguageRuntimes", ["Unwinding", "SymbolTables", "LinuxSystem", "CLinux", "Profiles", "ByteCoding"]),
        library("Analysis", ["Profiles", "Patterns"]),
        library("Formats", ["Profiles", "Analysis", "Compression", "ByteCoding"]),
        library("FlameGraphs", ["Profiles", "Analysis", "Patterns", "Formats"]),
        library("TerminalScreen", ["FlameGraphs", "CLinux"]),
        library(
            "WireProtocol", ["Profiles", "Compression", "ByteCoding", protobuf, "Digests"], exclude: ["wire.proto"]),
        testableLibrary(
            "ProfileStore",
            ["Profiles", "WireProtocol", "Analysis", "Patterns", "Compression", "ByteCoding", "SymbolTables", sqlite]),
        library("QueryAPI", ["Profiles", "Formats", "WireProtocol", "Digests", nioCore, nioPosix, nioHTTP1]),
        // Runtimes.
        testableLibrary(
            "ProfilerAgent",
            [
                "Profiles", "ByteCoding", "CLinux", "LinuxSystem", "Compression", "Patterns", "Settings", "PerfEvents",
                "ObjectFiles", "Unwinding", "SymbolTables", "SymbolSources", "LanguageRuntimes", "Analysis", "Formats",
                "FlameGraphs", "WireProtocol", "Digests", nioCore, nioPosix, logging,
            ]),
        testableLibrary(
            "ProfilerAggregator",
            [
                "Profiles", "ByteCoding", "Settings", "SymbolTables", "Analysis", "Formats", "FlameGraphs",
                "WireProtocol", "ProfileStore", "Patterns", nioCore, nioPosix, hummingbird, logging,
            ], exclude: ["openapi.yaml"]),
        // Programs.
        program(
            "perf-agent",
            [
                "ProfilerAgent", "Settings", "Profiles", "SymbolTables", "Analysis", "Formats", "FlameGraphs",
                "TerminalScreen", logging, "CFoundationEssentials",
            ]),
        program("perf-aggregator", ["ProfilerAggregator", "Settings", logging]),
        program(
            "perf-query",
            [
                "QueryAPI", "Profiles", "Analysis", "Formats", "FlameGraphs", "TerminalScreen", "WireProtocol",
                "Compression",
            ]),
        // Tests mirror Sources.
        tests("ProfilesTests", ["Profiles"]),
        tests("ByteCodingTests", ["ByteCoding"]),
        tests("LinuxSystemTests", ["LinuxSystem", "CLinux"]),
        tests("CompressionTests", ["Compression"]),
        tests("DigestsTests", ["Digests"]),
        tests("PatternsTests", ["Patterns"]),
        tests("SettingsTests", ["Settings"]),
        tests("PerfEventsTests", ["PerfEvents", "LinuxSystem", "CLinux", "AllocationCount"]),
        tests("ObjectFilesTests", ["ObjectFiles", "Profiles", "ToolOutput"]),
        tests("UnwindingTests", ["Unwinding", "ObjectFiles", "ByteCoding", "ToolOutput", "AllocationCount"]),
        tests("SymbolTablesTests", ["SymbolTables", "Profiles", "ByteCoding", "Compression"]),
        tests(
            "SymbolSourcesTests",
            ["SymbolSources", "SymbolTables", "ObjectFiles", "LinuxSystem", "Profiles", "ToolOutput"]),
        tests(
            "LanguageRuntimesTests",
            ["LanguageRuntimes", "LinuxSystem", "Profiles", "ByteCoding", "ToolOutput", "AllocationCount"]),
        tests("AnalysisTests", ["Analysis", "Profiles", "Patterns", "SampleBuilder"]),
        tests(
            "FormatsTests",
            ["Formats", "Analysis", "Compression", "Patterns", "Profiles", "SampleBuilder", "ToolOutput"]),
        tests("FlameGraphsTests", ["FlameGraphs", "Formats", "Analysis", "Profiles", "SampleBuilder"]),
        tests("WireProtocolTests", ["WireProtocol", "Profiles", "Compression"]),
        tests(
            "ProfileStoreTests",
            [
                "ProfileStore", "CompactorProgram", "Profiles", "WireProtocol", "SymbolTables", "Compression", sqlite,
            ]),
        tests("QueryAPITests", ["QueryAPI", "Profiles", "Formats", nioCore, nioPosix, nioHTTP1]),
        tests(
            "ProfilerAgentTests",
            [
                "ProfilerAgent", "ObjectHelperProgram", "SymbolTables", "SymbolSources", "ObjectFiles", "LinuxSystem",
                "PerfEvents", "Unwinding", "Settings", "Profiles", "ByteCoding", "WireProtocol", "AllocationCount",
                "LanguageRuntimes", "Patterns", "Formats", "ToolOutput", nioCore, nioPosix, logging,
            ]),
        tests(
            "ProfilerAggregatorTests",
            [
                "ProfilerAggregator", "ProfileStore", "Profiles", "WireProtocol", "SymbolTables", "Formats", "Settings",
                "ByteCoding", nioCore, nioPosix, logging, yaml,
            ]),
        tests("PerfQueryTests", ["Profiles", "Formats", nioCore, nioPosix, nioHTTP1]),
        tests("EndToEnd", resources: [.copy("Programs")]),
        tests("BenchmarksTests", ["benchmarks"]),
        // What tests share: samples from a seed, what other people's tools print, a count of a thread's allocations, a
        // load whose answer is known, a program that stands for `perf-agent helper`, and a compactor to be killed.
        .target(
            name: "SampleBuilder", dependencies: ["Profiles"], path: "Tests/SampleBuilder", swiftSettings: settings),
        .target(name: "AllocationCount", path: "Tests/AllocationCount"),
        .executableTarget(
            name: "demo-load", path: "Tests/DemoLoad", cSettings: [.unsafeFlags(["-fno-omit-frame-pointer"])]),
        .executableTarget(
            name: "benchmarks",
            dependencies: [
                "PerfEvents", "ProfilerAgent", "WireProtocol", "ProfileStore", "Analysis", "Formats", "FlameGraphs",
                "SymbolTables", "SymbolSources", "Unwinding", "ObjectFiles", "Compression", "ByteCoding", "Profiles",
                "AllocationCount", "SampleBuilder",
            ], path: "Tests/Benchmarks", swiftSettings: settings),
        .executableTarget(
            name: "ObjectHelperProgram", dependencies: ["ProfilerAgent"], path: "Tests/ObjectHelperProgram",
            swiftSettings: settings),
        .executableTarget(
            name: "CompactorProgram", dependencies: ["ProfileStore", "Profiles"], path: "Tests/CompactorProgram",
            swiftSettings: settings),
        .target(name: "ToolOutput", path: "Tests/ToolOutput"),
    ] + fuzzTargets()
)
