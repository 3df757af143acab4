/// What `perf-agent run` and its relatives were told. Config/agent.yaml explains every setting.
///
/// The window is 10 s and not a setting: windows of all hosts must line up.
public struct AgentSettings: Hashable, Sendable {
    /// Where batches go.
    public var aggregator = HostAndPort(host: "127.0.0.1", port: 7171)
    /// Samples per second and CPU, 1 to 10,000.
    public var samplesPerSecond = 100.0
    /// Whether kernel frames are taken too.
    public var includesKernel = true
    /// Bytes of stack that are copied with each sample and unwound; 0: the kernel follows frame pointers; nil: by the
    /// rate.
    public var stackCopyBytes: Int?
    /// Whether a JVM whose structures are not known may be asked for a perf map.
    public var attachesToJVMs = false
    /// The host's name in answers; nil: the system's.
    public var host: String?
    /// On every sample of this host.
    public var labels: [String: String] = [:]
    public var serviceRules: [ServiceRule] = []
    public var spool = Spool()
    /// Largest memory in bytes for the stacks of a window; samples past it are dropped and counted.
    public var windowMemoryBytes = 32 << 20
    public var helper = Helper()
    public var symbols = Symbols()
    public var logLevel = LogLevel.info

    /// Where batches wait for their acknowledgement.
    public struct Spool: Hashable, Sendable {
        public var directory = "/var/lib/perf-fleet/agent"
        /// Past this many bytes, the oldest batches are dropped and counted.
        public var maximumBytes = 512 << 20
        public var sync = Sync.batch

        public enum Sync: String, Hashable, Sendable, CaseIterable {
            /// fsync after each batch: a power cut loses at most the window being taken.
            case batch
            /// Never: a power cut may lose what the kernel has not written yet, a killed agent loses nothing.
            case never
        }

        public init() {}
    }

    /// Limits on the process that reads other people's object files.
    public struct Helper: Hashable, Sendable {
        public var maximumMemoryBytes = 2 << 30
        /// For one file.
        public var maximumTime = Duration.seconds(30)
        public var maximumFileBytes = 4 << 30

        public init() {}
    }

    /// What is kept of files that were read, and where more of them is had.
    public struct Symbols: Hashable, Sendable {
        /// Of finished symbol tables; nil: the program's own choice.
        public var cacheDirectory: String?
        /// Past this many bytes, tables that were not used for the longest time go; 0: none is kept.
        public var maximumCacheBytes = 256 << 20
        /// Asked, in this order, for debug files that the host does not have.
        public var debugServers: [DebugServer] = []
        /// Longer ones are not taken.
        public var maximumDebugFileBytes = 512 << 20
        /// For all that is fetched for one module.
        public var maximumDebugFileTime = Duration.seconds(60)

        public init() {}
    }

    /// All defaults.
    public init() {}

    public static let standardPath = "/etc/perf-fleet/agent.yaml"
    /// The variable that names the file where no `--config` does.
    public static let pathVariable = "PERF_AGENT_CONFIG"

    /// What the command line said; nil: not given. Text, as typed.
    public struct Flags: Hashable, Sendable {
        public var aggregator: String?
        public var rate: String?
        public var spool: String?
        public var host: String?
        /// Each `K=V`.
        public var labels: [String]

        public init(
            aggregator: String? = nil, rate: String? = nil, spool: String? = nil, host: String? = nil,
            labels: [String] = []
        ) {
            self.aggregator = aggregator
            self.rate = rate
            self.spool = spool
            self.host = host
            self.labels = labels
        }
    }

    /// The file to read: `--config`, else PERF_AGENT_CONFIG, else the standard path if there is a file.
    public static func file(
        asked path: String?, environment: [String: String], standardPath: String = standardPath
    ) throws(SettingsError) -> SettingsFile? {
        let variable = environment[pathVariable].flatMap { $0.isEmpty ? nil : $0 }
        return try SettingsFile.find(asked: path ?? variable, standardPath: standardPath)
    }

    /// Flags win over `PERF_AGENT_*` variables, which win over the file, which wins over the defaults. Labels of all
    /// layers are joined, name by name.
    public static func resolve(
        file: SettingsFile?, environment: [String: String], flags: Flags
    ) throws(SettingsError) -> AgentSettings {
        var given: [String: String] = [:]
        given["--aggregator"] = flags.aggregator
        given["--rate"] = flags.rate
        given["--spool"] = flags.spool
        given["--host"] = flags.host
        let layers = try SettingsLayers(file: file, environment: environment, flags: given)
        try layers.checkKeys(Names.allKeys)

        var settings = AgentSettings()
        settings.aggregator = try layers.value(
            Names.aggregator, settings.aggregator, expected: "HOST:PORT, port 1 to 65535"
        ) { HostAndPort($0).flatMap { $0.port > 0 ? $0 : nil } }
        settings.samplesPerSecond = try layers.value(
            Names.rate, settings.samplesPerSecond, expected: "samples per second and CPU, 1 to 10000"
        ) { SettingText.number($0).flatMap { (1...10_000).contains($0) ? $0 : nil } }
        settings.includesKernel = try layers.value(
            Names.kernel, settings.includesKernel, expected: "true or false", SettingText.boolean)
        settings.stackCopyBytes = try layers.value(
            Names.stackCopy, settings.stackCopyBytes, expected: "auto, 0, or a size from 1KiB to 63KiB"
        ) { text -> Int?? in
            switch text {
            case "auto": .some(nil)
            case "0": 0
            default: SettingText.size(text, within: 1 << 10...63 << 10).map(Optional.some)
            }
        }
        settings.attachesToJVMs = try layers.value(
            Names.jvmAttach, settings.attachesToJVMs, expected: "true or false", SettingText.boolean)
        settings.host = try layers.value(
            Names.host, nil, expected: "a host name of 1 to 255 bytes without control characters"
        ) { SettingText.name($0).map(Optional.some) }
        settings.labels = try labels(layers, flags: flags.labels)
        settings.serviceRules = try ServiceRule.read(layers.fileValue("services"), layers: layers)
        settings.spool.directory = try layers.value(
            Names.spoolDirectory, settings.spool.directory, expected: "a path without control characters",
            SettingText.path)
        settings.spool.maximumBytes = try layers.value(
            Names.spoolSize, settings.spool.maximumBytes, expected: "a size from 1 MiB to 16 TiB, as in 512MiB"
        ) { SettingText.size($0, within: 1 << 20...16 << 40) }
        settings.spool.sync = try layers.value(
            Names.spoolSync, settings.spool.sync, expected: "batch or never", Spool.Sync.init(rawValue:))
        settings.windowMemoryBytes = try layers.value(
            Names.memory, settings.windowMemoryBytes, expected: "a size from 1 MiB to 64 GiB, as in 32MiB"
        ) { SettingText.size($0, within: 1 << 20...64 << 30) }
        settings.helper.maximumMemoryBytes = try layers.value(
            Names.helperMemory, settings.helper.maximumMemoryBytes,
            expected: "a size from 256 MiB to 64 GiB, as in 2GiB"
        ) { SettingText.size($0, within: 256 << 20...64 << 30) }
        settings.helper.maximumTime = try layers.value(
            Names.helperTime, settings.helper.maximumTime, expected: "a time from 1s to 2m"
        ) { SettingText.duration($0, within: .seconds(1) ... .seconds(120)) }
        settings.helper.maximumFileBytes = try layers.value(
            Names.helperFile, settings.helper.maximumFileBytes, expected: "a size from 1 MiB to 4 GiB, as in 1GiB"
        ) { SettingText.size($0, within: 1 << 20...4 << 30) }
        settings.symbols = try symbols(layers)
        settings.logLevel = try layers.value(
            Names.logLevel, settings.logLevel, expected: LogLevel.expected, LogLevel.init(rawValue:))
        return settings
    }

    /// What the environment alone says, for `perf-agent profile`, which reads no file of the host's.
    public static func symbols(environment: [String: String]) throws(SettingsError) -> Symbols {
        try symbols(try SettingsLayers(file: nil, environment: environment, flags: [:]))
    }

    private static func symbols(_ layers: SettingsLayers) throws(SettingsError) -> Symbols {
        var symbols = Symbols()
        symbols.cacheDirectory = try layers.value(
            Names.symbolCache, nil, expected: "a path without control characters"
        ) { SettingText.path($0).map(Optional.some) }
        symbols.maximumCacheBytes = try layers.value(
            Names.symbolCacheSize, symbols.maximumCacheBytes,
            expected: "0, or a size from 1 MiB to 1 TiB, as in 256MiB"
        ) { $0 == "0" ? 0 : SettingText.size($0, within: 1 << 20...1 << 40) }
        symbols.debugServers = try debugServers(layers)
        symbols.maximumDebugFileBytes = try layers.value(
            Names.debugFileSize, symbols.maximumDebugFileBytes, expected: "a size from 1 MiB to 4 GiB, as in 512MiB"
        ) { SettingText.size($0, within: 1 << 20...4 << 30) }
        symbols.maximumDebugFileTime = try layers.value(
            Names.debugFileTime, symbols.maximumDebugFileTime, expected: "a time from 1s to 1h"
        ) { SettingText.duration($0, within: .seconds(1) ... .seconds(3600)) }
        return symbols
    }

    /// DEBUGINFOD_URLS, the variable of every other client, counts where no layer of our own says anything; what it holds
    /// beside URLs is passed over (`warnings`).
    private static func debugServers(_ layers: SettingsLayers) throws(SettingsError) -> [DebugServer] {
        guard let found = try layers.text(Names.debuginfod) else {
            return DebugServer.list(layers.environmentText(commonDebugServers)?.text ?? "").servers
        }
        if found.text == "off" { return [] }
        let (servers, refused) = DebugServer.list(found.text)
        guard refused.isEmpty, !servers.isEmpty else {
            throw .unusableValue(
                found.origin, setting: Names.debuginfod.key,
                // A URL may hold a password.
                value: found.text.contains("@") ? "…" : found.text,
                expected: "off, or at most 16 URLs with http:// or https://, separated by spaces")
        }
        return servers
    }

    private static let commonDebugServers = Setting("symbols.debuginfod", "DEBUGINFOD_URLS")

    /// One warning for each `PERF_AGENT_*` variable that means nothing, naming the nearest that does.
    public static func warnings(environment: [String: String]) -> [String] {
        unknownVariables(in: environment, prefix: "PERF_AGENT_", known: environmentNames)
            + debugServerWarnings(environment: environment)
    }

    /// One warning where DEBUGINFOD_URLS holds what is no URL of a server.
    public static func debugServerWarnings(environment: [String: String]) -> [String] {
        let count = DebugServer.list(environment[commonDebugServers.environment] ?? "").refused.count
        guard count > 0 else { return [] }
        return [
            "\(count) of the words in \(commonDebugServers.environment) can't be used: expected are at most 16 URLs with"
                + " http:// or https://"
        ]
    }

    /// Every `PERF_AGENT_*` variable that means something, for --help and the documentation.
    public static let environmentNames = Names.all.map(\.environment) + [pathVariable]

    private enum Names {
        static let aggregator = Setting("aggregator", "PERF_AGENT_AGGREGATOR", flag: "--aggregator")
        static let rate = Setting("rate", "PERF_AGENT_RATE", flag: "--rate")
        static let kernel = Setting("kernel", "PERF_AGENT_KERNEL")
        static let stackCopy = Setting("stack_copy", "PERF_AGENT_STACK_COPY")
        static let jvmAttach = Setting("jvm_attach", "PERF_AGENT_JVM_ATTACH")
        static let host = Setting("host", "PERF_AGENT_HOST", flag: "--host")
        static let labels = Setting("labels", "PERF_AGENT_LABELS")
        static let spoolDirectory = Setting("spool.directory", "PERF_AGENT_SPOOL", flag: "--spool")
        static let spoolSize = Setting("spool.size", "PERF_AGENT_SPOOL_SIZE")
        static let spoolSync = Setting("spool.sync", "PERF_AGENT_SPOOL_SYNC")
        static let memory = Setting("memory", "PERF_AGENT_MEMORY")
        static let helperMemory = Setting("helper.memory", "PERF_AGENT_HELPER_MEMORY")
        static let helperTime = Setting("helper.time", "PERF_AGENT_HELPER_TIME")
        static let helperFile = Setting("helper.file_size", "PERF_AGENT_HELPER_FILE_SIZE")
        static let symbolCache = Setting("symbols.cache", "PERF_AGENT_SYMBOL_CACHE")
        static let symbolCacheSize = Setting("symbols.cache_size", "PERF_AGENT_SYMBOL_CACHE_SIZE")
        static let debuginfod = Setting("symbols.debuginfod", "PERF_AGENT_DEBUGINFOD")
        static let debugFileSize = Setting("symbols.debuginfod_size", "PERF_AGENT_DEBUGINFOD_SIZE")
        static let debugFileTime = Setting("symbols.debuginfod_time", "PERF_AGENT_DEBUGINFOD_TIME")
        static let logLevel = Setting("log_level", "PERF_AGENT_LOG_LEVEL")
        static let all = [
            aggregator, rate, kernel, stackCopy, jvmAttach, host, labels, spoolDirectory, spoolSize, spoolSync, memory,
            helperMemory, helperTime, helperFile, symbolCache, symbolCacheSize, debuginfod, debugFileSize,
            debugFileTime, logLevel,
        ]
        static let allKeys = all.map(\.key) + ["services"]
    }

    private static func labels(
        _ layers: SettingsLayers, flags: [String]
    ) throws(SettingsError) -> [String: String] {
        let expected = "K=V, the name of letters, digits, '_', '-', '.', '/'"
        var labels: [String: String] = [:]
        switch layers.fileValue("labels") {
        case nil: break
        case .mapping(let entries, _)?:
            for entry in entries {
                guard case .text(let value, _) = entry.value,
                    let label = SettingText.label("\(entry.key)=\(value)"), label.name == entry.key
                else {
                    throw .unusableValue(
                        layers.fileOrigin(entry.line), setting: "labels", value: "\(entry.key): \(entry.value.summary)",
                        expected: "'name: value', the name of letters, digits, '_', '-', '.', '/'")
                }
                labels[label.name] = label.value
            }
        case let other?:
            throw .unusableValue(
                layers.fileOrigin(other.line), setting: "labels", value: other.summary,
                expected: "a mapping of names to values")
        }
        if let variable = layers.environmentText(Names.labels) {
            for text in variable.text.split(separator: ",") {
                guard let label = SettingText.label(String(text)) else {
                    throw .unusableValue(
                        variable.origin, setting: "labels", value: String(text),
                        expected: "\(expected), joined by commas")
                }
                labels[label.name] = label.value
            }
        }
        for text in flags {
            guard let label = SettingText.label(text) else {
                throw .unusableValue(.flag(name: "--label"), setting: "labels", value: text, expected: expected)
            }
            labels[label.name] = label.value
        }
        return labels
    }
}
