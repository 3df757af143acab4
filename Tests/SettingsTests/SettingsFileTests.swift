import Settings
import Testing

private func agent(_ yaml: String, _ environment: [String: String] = [:], _ flags: AgentSettings.Flags = .init())
    throws(SettingsError) -> AgentSettings
{
    try AgentSettings.resolve(
        file: SettingsFile(path: "agent.yaml", text: yaml), environment: environment, flags: flags)
}

private func message(_ work: () throws(SettingsError) -> Void) -> String {
    do {
        try work()
        return "nothing was wrong"
    } catch {
        return error.description
    }
}

@Test func `nothing given means the defaults`() throws {
    let settings = try AgentSettings.resolve(file: nil, environment: [:], flags: .init())
    #expect(settings == AgentSettings())
    #expect(settings.samplesPerSecond == 100)
    #expect(settings.aggregator == HostAndPort(host: "127.0.0.1", port: 7171))
    #expect(try AggregatorSettings.resolve(file: nil, environment: [:], flags: .init()) == AggregatorSettings())
}

@Test(arguments: [("auto", nil), ("0", 0), ("1KiB", 1 << 10), ("63KiB", 63 << 10)] as [(String, Int?)])
func `the size of stack copies is a size, or left to the rate`(text: String, bytes: Int?) throws {
    #expect(try agent("stack_copy: \(text)").stackCopyBytes == bytes)
    #expect(message { () throws(SettingsError) in _ = try agent("stack_copy: 64KiB") }.contains("auto, 0, or a size"))
}

@Test func `every setting of an agent file arrives`() throws {
    let settings = try agent(
        """
        aggregator: profiles.internal:7000
        rate: 49.5
        kernel: no
        host: db-1
        labels: {zone: a, rack: "7"}
        memory: 16MiB
        log_level: debug
        spool:
          directory: /spool
          size: 2 GiB
          sync: never
        helper: {memory: 256MiB, time: 5s, file_size: 1GiB}
        symbols: {cache: /c, cache_size: 1GiB}
        services:
          - program: 'python*'
            cgroup: /system.slice/web-*.service
            service: web
            version: "2.1"
          - command: "*manage.py runworker*"
            service: worker
        """)
    var expected = AgentSettings()
    expected.aggregator = HostAndPort(host: "profiles.internal", port: 7000)
    expected.samplesPerSecond = 49.5
    expected.includesKernel = false
    expected.host = "db-1"
    expected.labels = ["zone": "a", "rack": "7"]
    expected.windowMemoryBytes = 16 << 20
    expected.logLevel = .debug
    expected.spool.directory = "/spool"
    expected.spool.maximumBytes = 2 << 30
    expected.spool.sync = .never
    expected.helper.maximumMemoryBytes = 256 << 20
    expected.helper.maximumTime = .seconds(5)
    expected.helper.maximumFileBytes = 1 << 30
    expected.symbols.cacheDirectory = "/c"
    expected.symbols.maximumCacheBytes = 1 << 30
    expected.serviceRules = [
        ServiceRule(
            program: "python*", cgroup: "/system.slice/web-*.service", command: nil, service: "web", version: "2.1"),
        ServiceRule(program: nil, cgroup: nil, command: "*manage.py runworker*", service: "worker"),
    ]
    #expect(settings == expected)
}

@Test func `a flag wins over the environment and the environment over the file`() throws {
    let yaml = "rate: 10\nhost: file\naggregator: file:1\nlabels: {a: file, b: file, c: file}"
    let environment = [
        "PERF_AGENT_RATE": "20", "PERF_AGENT_HOST": "environment", "PERF_AGENT_LABELS": "b=environment,c=environment",
    ]
    let settings = try agent(yaml, environment, .init(rate: "30", labels: ["c=flag"]))
    #expect(settings.samplesPerSecond == 30)
    #expect(settings.host == "environment")
    #expect(settings.aggregator == HostAndPort(host: "file", port: 1))
    #expect(settings.labels == ["a": "file", "b": "environment", "c": "flag"])
}

@Test func `a variable that means nothing is a warning that names the nearest`() {
    #expect(
        AgentSettings.warnings(environment: ["PERF_AGENT_RAET": "1", "PERF_AGENT_RATE": "1", "PERF_SERVER": "x"])
            == ["environment variable PERF_AGENT_RAET means nothing; did you mean PERF_AGENT_RATE?"])
    #expect(
        AggregatorSettings.warnings(environment: ["PERF_AGGREGATOR_QQQQQQQQ": "1", "PERF_AGGREGATOR_CONFIG": "x"])
            == ["environment variable PERF_AGGREGATOR_QQQQQQQQ means nothing"])
}

@Test func `an empty variable counts as unset`() throws {
    #expect(try agent("rate: 10", ["PERF_AGENT_RATE": ""]).samplesPerSecond == 10)
}

@Test(
    arguments: [
        ("", "nothing was wrong"),
        ("# only a comment\n", "nothing was wrong"),
        ("spool:\n", "nothing was wrong"),
        ("\nraet: 10", "agent.yaml:2: unknown key 'raet'; did you mean 'rate'?"),
        ("rate: 1\nspool:\n  sise: 1GiB", "agent.yaml:3: unknown key 'spool.sise'; did you mean 'spool.size'?"),
        ("spool_size: 1GiB", "agent.yaml:1: unknown key 'spool_size'; did you mean 'spool.size'?"),
        ("directory: /x", "agent.yaml:1: unknown key 'directory'; did you mean 'spool.directory'?"),
        ("aggregater: x:1", "agent.yaml:1: unknown key 'aggregater'; did you mean 'aggregator'?"),
        (
            "services:\n  - progam: x\n    service: y",
            "agent.yaml:2: unknown key 'services.progam'; did you mean 'services.program'?"
        ),
        (
            "helper: {zzzzzzzz: 1}",
            "agent.yaml:1: unknown key 'helper.zzzzzzzz'; known are helper.memory, helper.time, helper.file_size"
        ),
        (
            "host: x\nrate: fast",
            "agent.yaml:2: rate: 'fast' can't be used; expected samples per second and CPU, 1 to 10000"
        ),
        ("rate: 0", "agent.yaml:1: rate: '0' can't be used; expected samples per second and CPU, 1 to 10000"),
        ("rate: 10001", "agent.yaml:1: rate: '10001' can't be used; expected samples per second and CPU, 1 to 10000"),
        ("rate: .nan", "agent.yaml:1: rate: '.nan' can't be used; expected samples per second and CPU, 1 to 10000"),
        ("rate: nan", "agent.yaml:1: rate: 'nan' can't be used; expected samples per second and CPU, 1 to 10000"),
        ("rate:\n  - 1", "agent.yaml:2: rate: 'a list' can't be used; expected one value"),
        ("aggregator: web", "agent.yaml:1: aggregator: 'web' can't be used; expected HOST:PORT, port 1 to 65535"),
        ("aggregator: web:0", "agent.yaml:1: aggregator: 'web:0' can't be used; expected HOST:PORT, port 1 to 65535"),
        (
            "spool: /var",
            "agent.yaml:1: spool: '/var' can't be used; expected the settings directory, size, sync below it"
        ),
        (
            "spool: {size: 1KiB}",
            "agent.yaml:1: spool.size: '1KiB' can't be used; expected a size from 1 MiB to 16 TiB, as in 512MiB"
        ),
        ("kernel: maybe", "agent.yaml:1: kernel: 'maybe' can't be used; expected true or false"),
        (
            "host: \"a\\tb\"",
            "agent.yaml:1: host: 'a\tb' can't be used; expected a host name of 1 to 255 bytes without control characters"
        ),
        (
            "labels:\n  a: 1\n  'b c': 2",
            "agent.yaml:3: labels: 'b c: 2' can't be used; expected 'name: value', the name of letters, digits, '_', '-', '.', '/'"
        ),
        ("services:\n  - program: x", "agent.yaml:2: a rule of 'services' has no 'service: NAME'"),
        (
            "services:\n  - service: x",
            "agent.yaml:2: the rule for service 'x' matches by nothing; give program, cgroup or command"
        ),
        ("rate: 1\nrate: 2", "agent.yaml:2: the key 'rate' stands here twice; the first time in line 1"),
        ("rate: 1\n---\nrate: 2", "agent.yaml:2: a second document; one is expected"),
        ("spool: &a {size: *a}", "agent.yaml:1: nested too deep, or too many values"),
        ("- a\n- b", "agent.yaml:1: expected settings as 'key: value', found a list"),
    ] as [(String, String)])
func `what is wrong with a file is said with its line`(yaml: String, expected: String) {
    #expect(message { () throws(SettingsError) in _ = try agent(yaml) } == expected)
}

@Test(arguments: ["rate: [1", "a: b: c", "\tx: 1", "rate: 'x", "\u{0}", "%YAML 9\n---\nrate: 1", "rate: *x"])
func `what is not YAML is an error with a line`(yaml: String) {
    let text = message { () throws(SettingsError) in _ = try agent(yaml) }
    #expect(text.hasPrefix("agent.yaml:"), "\(text)")
    #expect(text.contains("not YAML"), "\(text)")
}

@Test func `aliases that would expand to billions of values are refused`() {
    var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
        let alias = "*a\(level - 1)"
        let many = Array(repeating: alias, count: 9).joined(separator: ", ")
        yaml += "a\(level): &a\(level) [\(many)]\n"
    }
    let text = message { () throws(SettingsError) in _ = try agent(yaml) }
    #expect(text.contains("nested too deep, or too many values"), "\(text)")
}

@Test func `the error of a flag or a variable names it`() {
    #expect(
        message { () throws(SettingsError) in _ = try agent("", [:], .init(rate: "x")) }.hasPrefix("--rate: rate: 'x'"))
    #expect(
        message { () throws(SettingsError) in _ = try agent("", ["PERF_AGENT_SPOOL_SIZE": "-1"]) }
            .hasPrefix("environment variable PERF_AGENT_SPOOL_SIZE: spool.size: '-1'"))
    #expect(message { () throws(SettingsError) in _ = try agent("", [:], .init(labels: ["x"])) }.hasPrefix("--label: "))
}

@Test func `a file that can't be read says why`() {
    let missing = message { () throws(SettingsError) in _ = try SettingsFile.read("/nonexistent/agent.yaml") }
    #expect(missing.contains("/nonexistent/agent.yaml") && missing.contains("no such file"), "\(missing)")
    let directory = message { () throws(SettingsError) in _ = try SettingsFile.read("/tmp") }
    #expect(directory == "can't read /tmp: it is a directory")
    let binary = message { () throws(SettingsError) in _ = try SettingsFile.read("/proc/self/exe") }
    #expect(binary.contains("larger than"), "\(binary)")
}

@Test func `without a file at the standard path there are defaults, with one asked for there is an error`() throws {
    #expect(try AgentSettings.file(asked: nil, environment: [:], standardPath: "/nonexistent") == nil)
    #expect(throws: SettingsError.self) { try AgentSettings.file(asked: "/nonexistent", environment: [:]) }
    #expect(throws: SettingsError.self) {
        try AgentSettings.file(asked: nil, environment: ["PERF_AGENT_CONFIG": "/nonexistent"])
    }
}

@Test(arguments: [
    ("listen_http: 0.0.0.0:80", "aggregator.yaml:1: listen_http: other machines can reach 0.0.0.0:80"),
    ("rate: 1\n", "aggregator.yaml:1: unknown key 'rate'"),
    ("retention: {age: 5s}", "aggregator.yaml:1: retention.age: '5s' can't be used"),
    ("retention: {aeg: 5d}", "aggregator.yaml:1: unknown key 'retention.aeg'; did you mean 'retention.age'?"),
    ("limits: {connections: 0}", "aggregator.yaml:1: limits.connections: '0' can't be used"),
    (
        "pricePerCoreHour: cheap",
        "aggregator.yaml:1: pricePerCoreHour: 'cheap' can't be used; expected an amount of money"
    ),
    ("pricePerCoreHour: -1", "aggregator.yaml:1: pricePerCoreHour: '-1' can't be used"),
    ("pricePerCorHour: 1", "aggregator.yaml:1: unknown key 'pricePerCorHour'; did you mean 'pricePerCoreHour'?"),
    ("limits: {message: 17MiB}", "aggregator.yaml:1: limits.message: '17MiB' can't be used"),
    ("limits: {expanded_batch: 65MiB}", "aggregator.yaml:1: limits.expanded_batch: '65MiB' can't be used"),
])
func `an aggregator's file is checked likewise`(yaml: String, expected: String) {
    let text = message { () throws(SettingsError) in
        _ = try AggregatorSettings.resolve(
            file: SettingsFile(path: "aggregator.yaml", text: yaml), environment: [:], flags: .init())
    }
    #expect(text.hasPrefix(expected), "\(text)")
}

@Test func `a core may have a price and a currency`() throws {
    func settings(_ yaml: String, _ environment: [String: String] = [:]) throws -> AggregatorSettings {
        try AggregatorSettings.resolve(
            file: SettingsFile(path: "a.yaml", text: yaml), environment: environment, flags: .init())
    }
    #expect(try settings("").pricePerCoreHour == nil)
    let priced = try settings("pricePerCoreHour: 0.034\ncurrency: EUR")
    #expect(priced.pricePerCoreHour == 0.034)
    #expect(priced.currency == "EUR")
    #expect(try settings("", ["PERF_AGGREGATOR_PRICE_PER_CORE_HOUR": "2"]).pricePerCoreHour == 2)
}

@Test func `an address that is not loopback needs insecure, wherever it was given`() throws {
    let refused = message { () throws(SettingsError) in
        _ = try AggregatorSettings.resolve(file: nil, environment: [:], flags: .init(listenAgents: "[::]:7171"))
    }
    #expect(refused.hasPrefix("--listen-agents: listen_agents: other machines can reach [::]:7171"), "\(refused)")
    let file = SettingsFile(path: "a.yaml", text: "insecure: true")
    let settings = try AggregatorSettings.resolve(
        file: file, environment: [:], flags: .init(listenAgents: "[::]:7171", listenHTTP: "127.9.0.1:0"))
    #expect(settings.isInsecureAllowed)
    #expect(settings.agentsAddress == HostAndPort(host: "::", port: 7171))
    #expect(settings.httpAddress == HostAndPort(host: "127.9.0.1", port: 0))
}

@Test(
    arguments: [
        ("a:1", "a", 1), ("127.0.0.1:65535", "127.0.0.1", 65535), ("[::1]:7171", "::1", 7171), ("a-b.c:0", "a-b.c", 0),
    ] as [(String, String, Int)])
func `a host and a port are read`(text: String, host: String, port: Int) {
    #expect(HostAndPort(text) == HostAndPort(host: host, port: port))
    #expect(HostAndPort(text)?.description == text)
}

@Test(arguments: ["", ":", "a", "a:", ":1", "a:65536", "a:-1", "a:+1", "::1:80", "[::1]", "[::1:80", "a b:1", "a/b:1"])
func `what is no host and port is nil`(text: String) {
    #expect(HostAndPort(text) == nil)
}

@Test(arguments: [
    ("127.0.0.1", true), ("127.1.2.3", true), ("::1", true), ("localhost", true), ("0.0.0.0", false), ("::", false),
    ("127.0.0.1.example.org", false), ("10.0.0.1", false), ("127.0.0", false),
])
func `only this machine's addresses are loopback`(host: String, expected: Bool) {
    #expect(HostAndPort(host: host, port: 1).isLoopback == expected)
}
