/// What `perf-aggregator serve` was told. Config/aggregator.yaml explains every setting.
public struct AggregatorSettings: Hashable, Sendable {
    /// Where the store lies.
    public var dataDirectory = "/var/lib/perf-fleet/aggregator"
    /// Port 0 picks a free one.
    public var agentsAddress = HostAndPort(host: "127.0.0.1", port: 7171)
    public var httpAddress = HostAndPort(host: "127.0.0.1", port: 7172)
    /// Allows addresses that other machines reach, though nothing is encrypted or proved yet.
    public var isInsecureAllowed = false
    public var retention = Retention()
    public var limits = Limits()
    public var logLevel = LogLevel.info
    /// What a core costs for an hour; nil where nobody said so.
    public var pricePerCoreHour: Double?
    /// Printed behind amounts of money.
    public var currency = ""

    /// Whole days' files go when either is passed, the oldest first.
    public struct Retention: Hashable, Sendable {
        public var age = Duration.seconds(14 * 86_400)
        /// Of the days' files together; the catalogue with its symbol tables comes on top.
        public var maximumBytes = 20 << 30

        public init() {}
    }

    /// What one peer, batch or question may cost.
    public struct Limits: Hashable, Sendable {
        /// Agents connected at once.
        public var connections = 20_000
        /// Bytes of one message on the wire; at most `WireLimits.messageBytes`, the default.
        public var messageBytes = 16 << 20
        /// Bytes that a batch may expand to; at most `WireLimits.expandedBytes`, the default.
        public var expandedBatchBytes = 64 << 20
        /// Longest time for one answer.
        public var queryTime = Duration.seconds(30)

        public init() {}
    }

    /// All defaults.
    public init() {}

    public static let standardPath = "/etc/perf-fleet/aggregator.yaml"
    /// The variable that names the file where no `--config` does.
    public static let pathVariable = "PERF_AGGREGATOR_CONFIG"

    /// What the command line said; nil: not given. Text, as typed.
    public struct Flags: Hashable, Sendable {
        public var data: String?
        public var listenAgents: String?
        public var listenHTTP: String?

        public init(data: String? = nil, listenAgents: String? = nil, listenHTTP: String? = nil) {
            self.data = data
            self.listenAgents = listenAgents
            self.listenHTTP = listenHTTP
        }
    }

    /// The file to read: `--config`, else PERF_AGGREGATOR_CONFIG, else the standard path if there is a file.
    public static func file(
        asked path: String?, environment: [String: String], standardPath: String = standardPath
    ) throws(SettingsError) -> SettingsFile? {
        let variable = environment[pathVariable].flatMap { $0.isEmpty ? nil : $0 }
        return try SettingsFile.find(asked: path ?? variable, standardPath: standardPath)
    }

    /// Flags win over `PERF_AGGREGATOR_*` variables, which win over the file, which wins over the defaults. An address
    /// that isn't loopback is an error unless `insecure` is true.
    public static func resolve(
        file: SettingsFile?, environment: [String: String], flags: Flags
    ) throws(SettingsError) -> AggregatorSettings {
        var given: [String: String] = [:]
        given["--data"] = flags.data
        given["--listen-agents"] = flags.listenAgents
        given["--listen-http"] = flags.listenHTTP
        let layers = try SettingsLayers(file: file, environment: environment, flags: given)
        try layers.checkKeys(Names.all.map(\.key))

        var settings = AggregatorSettings()
        settings.dataDirectory = try layers.value(
            Names.data, settings.dataDirectory, expected: "a path without control characters", SettingText.path)
        settings.isInsecureAllowed = try layers.value(
            Names.insecure, settings.isInsecureAllowed, expected: "true or false", SettingText.boolean)
        settings.agentsAddress = try layers.value(
            Names.listenAgents, settings.agentsAddress, expected: "ADDR:PORT", HostAndPort.init(_:))
        settings.httpAddress = try layers.value(
            Names.listenHTTP, settings.httpAddress, expected: "ADDR:PORT", HostAndPort.init(_:))
        for (setting, address) in [
            (Names.listenAgents, settings.agentsAddress), (Names.listenHTTP, settings.httpAddress),
        ] where !address.isLoopback && !settings.isInsecureAllowed {
            throw .inconsistent(
                try layers.text(setting)?.origin,
                reason: """
                    \(setting.key): other machines can reach \(address), and connections are not encrypted yet; listen on \
                    127.0.0.1, or accept that with 'insecure: true' in the configuration file
                    """)
        }
        settings.retention.age = try layers.value(
            Names.retentionAge, settings.retention.age, expected: "a time from 1h to 10 years, as in 14d"
        ) { SettingText.duration($0, within: .seconds(3600) ... .seconds(3653 * 86_400)) }
        settings.retention.maximumBytes = try layers.value(
            Names.retentionSize, settings.retention.maximumBytes,
            expected: "a size from 16 MiB to 1024 TiB, as in 20GiB"
        ) { SettingText.size($0, within: 16 << 20...1 << 50) }
        settings.limits.connections = try layers.value(
            Names.connections, settings.limits.connections, expected: "a count, 1 to 1000000"
        ) { SettingText.integer($0, within: 1...1_000_000) }
        settings.limits.messageBytes = try layers.value(
            Names.message, settings.limits.messageBytes, expected: "a size from 64 KiB to 16 MiB, as in 8MiB"
        ) { SettingText.size($0, within: 64 << 10...16 << 20) }
        settings.limits.expandedBatchBytes = try layers.value(
            Names.expanded, settings.limits.expandedBatchBytes, expected: "a size from 1 MiB to 64 MiB, as in 32MiB"
        ) { SettingText.size($0, within: 1 << 20...64 << 20) }
        settings.limits.queryTime = try layers.value(
            Names.queryTime, settings.limits.queryTime, expected: "a time from 100ms to 1h, as in 30s"
        ) { SettingText.duration($0, within: .milliseconds(100) ... .seconds(3600)) }
        settings.pricePerCoreHour = try layers.value(
            Names.price, settings.pricePerCoreHour, expected: "an amount of money from 0 to 1000000, as in 0.034"
        ) { text in SettingText.number(text).flatMap { (0...1_000_000).contains($0) ? .some($0) : nil } }
        settings.currency = try layers.value(
            Names.currency, settings.currency, expected: "a few letters, as in EUR"
        ) { text in
            text.count <= 16 && text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 } ? text : nil
        }
        settings.logLevel = try layers.value(
            Names.logLevel, settings.logLevel, expected: LogLevel.expected, LogLevel.init(rawValue:))
        return settings
    }

    /// One warning for each `PERF_AGGREGATOR_*` variable that means nothing, naming the nearest that does.
    public static func warnings(environment: [String: String]) -> [String] {
        unknownVariables(in: environment, prefix: "PERF_AGGREGATOR_", known: environmentNames)
    }

    /// Every `PERF_AGGREGATOR_*` variable that means something, for --help and the documentation.
    public static let environmentNames = Names.all.map(\.environment) + [pathVariable]

    private enum Names {
        static let data = Setting("data", "PERF_AGGREGATOR_DATA", flag: "--data")
        static let listenAgents = Setting("listen_agents", "PERF_AGGREGATOR_LISTEN_AGENTS", flag: "--listen-agents")
        static let listenHTTP = Setting("listen_http", "PERF_AGGREGATOR_LISTEN_HTTP", flag: "--listen-http")
        static let insecure = Setting("insecure", "PERF_AGGREGATOR_INSECURE")
        static let retentionAge = Setting("retention.age", "PERF_AGGREGATOR_RETENTION_AGE")
        static let retentionSize = Setting("retention.size", "PERF_AGGREGATOR_RETENTION_SIZE")
        static let connections = Setting("limits.connections", "PERF_AGGREGATOR_CONNECTIONS")
        static let message = Setting("limits.message", "PERF_AGGREGATOR_MESSAGE")
        static let expanded = Setting("limits.expanded_batch", "PERF_AGGREGATOR_EXPANDED_BATCH")
        static let queryTime = Setting("limits.query_time", "PERF_AGGREGATOR_QUERY_TIME")
        static let logLevel = Setting("log_level", "PERF_AGGREGATOR_LOG_LEVEL")
        static let price = Setting("pricePerCoreHour", "PERF_AGGREGATOR_PRICE_PER_CORE_HOUR")
        static let currency = Setting("currency", "PERF_AGGREGATOR_CURRENCY")
        static let all = [
            price, currency, data, listenAgents, listenHTTP, insecure, retentionAge, retentionSize, connections,
            message, expanded,
            queryTime, logLevel,
        ]
    }
}
